"""Applications of CodeDeploy: names under which deployment groups are found."""

import uuid
from typing import Any

from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions.rollouts import describe, faults, repository
from mayfly.services.functions.rollouts.model import Application
from mayfly.store.api import Reader, Store, Tx

PAGE = 100


def next_place(params: dict[str, Any]) -> str:
    """After which name a list goes on; `ServiceError`."""
    return page_tokens.after(params.get("nextToken") or None, faults.invalid_token)


def page_of(member: str, found: list[str]) -> dict[str, Any]:
    """A page of up to `PAGE` names, of which one more than that were looked up."""
    shown: dict[str, Any] = {member: found[:PAGE]}
    return shown | ({"nextToken": page_tokens.encode(found[PAGE - 1])} if len(found) > PAGE else {})


class ApplicationOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @operation("CreateApplication")
    async def create(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("computePlatform") != "Lambda":
            raise faults.invalid_platform()
        tags = {each["Key"]: each.get("Value", "") for each in params.get("tags", ())}
        made = Application(params["applicationName"], str(uuid.uuid4()), self._clock.now(), tags)

        def body(tx: Tx) -> None:
            if not repository.insert_application(tx, made):
                raise faults.application_exists(made.name)

        await self._store.write(body)
        return {"applicationId": made.id}

    @operation("GetApplication")
    async def get(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        name = params["applicationName"]
        found = await self._store.read(lambda reader: repository.find_application(reader, name))
        if found is None:
            raise faults.no_application(name)
        return {"application": describe.application(found)}

    @operation("BatchGetApplications")
    async def get_many(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        def body(reader: Reader) -> list[Application | None]:
            return [repository.find_application(reader, name) for name in params["applicationNames"]]

        found = await self._store.read(body)
        return {"applicationsInfo": [describe.application(each) for each in found if each is not None]}

    @operation("ListApplications")
    async def list(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        after = next_place(params)
        found = await self._store.read(lambda reader: repository.applications(reader, after, PAGE + 1))
        return page_of("applications", found)

    @operation("UpdateApplication")
    async def update(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        """Only its tags could change but for its name, and groups and deployments go by that."""
        if params.get("newApplicationName") not in (None, params.get("applicationName")):
            raise faults.invalid_input("Mayfly does not rename applications; create another one.")
        return {}

    @operation("DeleteApplication")
    async def delete(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        """One that is not there is as good as deleted."""
        await self._store.write(lambda tx: repository.delete_application(tx, params["applicationName"]))
        return {}

    @operation("TagResource")
    async def tag(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        added = {each["Key"]: each.get("Value", "") for each in params["Tags"]}
        await self._retag(params["ResourceArn"], lambda tags: {**tags, **added})
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        gone = set(params["TagKeys"])
        await self._retag(params["ResourceArn"], lambda tags: {k: v for k, v in tags.items() if k not in gone})
        return {}

    @operation("ListTagsForResource")
    async def tags(self, context: RequestContext, params: dict[str, Any]) -> dict[str, Any]:
        found = await self._retag(params["ResourceArn"], lambda tags: tags)
        return {"Tags": [{"Key": key, "Value": value} for key, value in sorted(found.items())]}

    async def _retag(self, arn: str, change: Any) -> dict[str, str]:
        kind, _, name = arn.rpartition(":")
        application, _, group = name.partition("/")

        def body(tx: Tx) -> dict[str, str]:
            if kind.endswith(":deploymentgroup"):
                found = repository.find_group(tx, application, group)
                if found is None:
                    raise faults.no_group(group)
                retagged = replace(found, tags=change(found.tags))
                repository.update_group(tx, retagged, group)
                return retagged.tags
            owner = repository.find_application(tx, name)
            if owner is None:
                raise faults.no_application(name)
            changed = replace(owner, tags=change(owner.tags))
            repository.update_application(tx, changed)
            return changed.tags

        return await self._store.write(body)
