"""Operations on event source mappings."""

from collections.abc import Mapping as Members
from typing import TYPE_CHECKING, Any, Final

import msgspec

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import faults, tenancy, version_repository
from mayfly.services.functions.durable import config as durable_config
from mayfly.services.functions.mappings import catalog, describe, kinds, validation
from mayfly.services.functions.mappings.keeper import Keeper
from mayfly.services.functions.mappings.model import UNDER_WAY, Mapping, State
from mayfly.services.functions.mappings.sources import Sources
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.roles import RoleCheck
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateEventSourceMappingRequestTypeDef,
        DeleteEventSourceMappingRequestTypeDef,
        GetEventSourceMappingRequestTypeDef,
        ListEventSourceMappingsRequestTypeDef,
        UpdateEventSourceMappingRequestTypeDef,
    )

_PAGE: Final = 100
# What a mapping is on its way to is reached within moments, for which a caller who is quick is not sent away.
_SETTLE_S: Final = 15.0


class MappingOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        home: Home,
        roles: RoleCheck,
        sources: Sources,
        keeper: Keeper,
    ) -> None:
        self._store = store
        self._clock = clock
        self._home = home
        self._roles = roles
        self._sources = sources
        self._keeper = keeper

    @operation("CreateEventSourceMapping")
    async def create(self, context: RequestContext, params: "CreateEventSourceMappingRequestTypeDef") -> dict[str, Any]:
        kinds.kind_of(params)
        reference = self._home.parse(params["FunctionName"])
        mapping = validation.new(
            params,
            uuid=ids.request_id(),
            function=self._home.arn(reference.name, reference.qualifier),
            now=self._clock.now(),
        )
        await self._check(mapping, reference)

        def body(tx: Tx) -> None:
            rival = catalog.rival(tx, mapping)
            if rival is not None:
                raise _exists(rival)
            catalog.insert(tx, mapping)
            tx.after_commit(lambda: self._keeper.want(mapping.uuid))

        await self._store.write(body)
        return self._shown(mapping)

    @operation("GetEventSourceMapping")
    async def get(self, context: RequestContext, params: "GetEventSourceMappingRequestTypeDef") -> dict[str, Any]:
        uuid = params["UUID"]
        return self._shown(_existing(await self._store.read(lambda reader: catalog.find(reader, uuid))))

    @operation("ListEventSourceMappings")
    async def list_mappings(
        self, context: RequestContext, params: "ListEventSourceMappingsRequestTypeDef"
    ) -> dict[str, Any]:
        """By id; a marker is the last one of the page before."""
        source = params.get("EventSourceArn")
        reference = self._home.parse(params["FunctionName"]) if "FunctionName" in params else None
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        after = page_tokens.after(params.get("Marker") or None, faults.bad_marker)
        found = await self._store.read(lambda reader: self._page(reader, after, limit + 1, source, reference))
        more = {"NextMarker": page_tokens.encode(found[limit - 1].uuid)} if len(found) > limit else {}
        return {"EventSourceMappings": [describe.shown(each, self._home) for each in found[:limit]], **more}

    @operation("UpdateEventSourceMapping")
    async def update(self, context: RequestContext, params: "UpdateEventSourceMappingRequestTypeDef") -> dict[str, Any]:
        uuid = params["UUID"]
        await self._keeper.settled(uuid, _SETTLE_S)
        before = _existing(await self._store.read(lambda reader: catalog.find(reader, uuid)))
        wanted = self._changed(before, params)
        if wanted.enabled or "FunctionName" in params:  # whoever switches off what is broken is let be
            await self._check(wanted, self._home.parse(wanted.function))

        def body(tx: Tx) -> Mapping:
            found = _existing(catalog.find(tx, uuid))
            if found.state in UNDER_WAY:
                raise _in_use("update")
            mapping = self._changed(found, params)
            rival = catalog.rival(tx, mapping)
            if rival is not None:
                raise _exists(rival)
            catalog.update(tx, mapping)
            tx.after_commit(lambda: self._keeper.want(uuid))
            return mapping

        return self._shown(await self._store.write(body))

    @operation("DeleteEventSourceMapping")
    async def delete(self, context: RequestContext, params: "DeleteEventSourceMappingRequestTypeDef") -> dict[str, Any]:
        uuid = params["UUID"]
        await self._keeper.settled(uuid, _SETTLE_S)

        def body(tx: Tx) -> Mapping:
            found = _existing(catalog.find(tx, uuid))
            if found.state in UNDER_WAY:
                raise _in_use("delete")
            mapping = msgspec.structs.replace(found, state="Deleting", enabled=False, revision=found.revision + 1)
            catalog.update(tx, mapping)
            tx.after_commit(lambda: self._keeper.want(uuid))
            return mapping

        return self._shown(await self._store.write(body))

    async def _check(self, mapping: Mapping, reference: Reference) -> None:
        """What only the rest of the platform knows: function, role, source and destination."""
        found = await self._store.read(
            lambda reader: version_repository.resolve(reader, reference.name, reference.qualifier)
        )
        if found is None:
            raise faults.invalid_parameter("Function does not exist")
        tenancy.refuse(found.function.configuration, "An event source mapping")
        durable_config.check_waited(found.runs.configuration.durable, reference.qualifier)
        await self._roles.check(found.runs.configuration.role)
        await self._sources.check(mapping, found.runs.configuration.timeout_s)
        await self._sources.check_destination(mapping)

    def _changed(self, before: Mapping, params: Members[str, Any]) -> Mapping:
        """`before` with what a request asks for, on its way there."""
        asked = {name: value for name, value in params.items() if name not in ("UUID", "FunctionName")}
        mapping = validation.changed(before, asked)
        if "FunctionName" in params:
            reference = self._home.parse(params["FunctionName"])
            function = self._home.arn(reference.name, reference.qualifier)
            mapping = msgspec.structs.replace(mapping, function=function)
        state: State = "Updating"
        if mapping.enabled != before.enabled:
            state = "Enabling" if mapping.enabled else "Disabling"
        return msgspec.structs.replace(
            mapping, state=state, revision=before.revision + 1, modified_at=self._clock.now()
        )

    def _page(
        self, reader: Reader, after: str, limit: int, source: str | None, reference: Reference | None
    ) -> list[Mapping]:
        """Up to `limit` mappings; of a function that was named with a qualifier, those of that one."""
        found: list[Mapping] = []
        name = reference.name if reference is not None else None
        arn = self._home.arn(reference.name, reference.qualifier) if reference and reference.qualifier else None
        while len(found) < limit:
            rows = catalog.page(reader, after, limit, source, name if source is None else None)
            found += [
                each
                for each in rows
                if (name is None or catalog.function_name(each.function) == name) and arn in (None, each.function)
            ]
            if len(rows) < limit:
                break
            after = rows[-1].uuid
        return found[:limit]

    def _shown(self, mapping: Mapping) -> dict[str, Any]:
        return describe.shown(mapping, self._home)


def _existing(mapping: Mapping | None) -> Mapping:
    if mapping is None:
        raise faults.resource_not_found()
    return mapping


def _exists(rival: Mapping) -> ServiceError:
    """In AWS's words, which differ from kind to kind."""
    name = catalog.function_name(rival.function)
    after = f"already exists. Please update or delete the existing mapping with UUID {rival.uuid}"
    if rival.kind == "sqs":
        what = f'An event source mapping with SQS arn (" {rival.source} ") and function (" {name} ") {after}'
    elif rival.kind == "kafka":
        what = (
            f'An event source mapping with event source ("{rival.source}"), function ("{rival.function}"), '
            f'topics ("{",".join(rival.topics)}") {after}'
        )
    else:
        what = f'The event source arn (" {rival.source} ") and function (" {name} ") provided mapping {after}'
    return faults.conflict(what)


def _in_use(verb: str) -> ServiceError:
    return ServiceError(
        "ResourceInUseException",
        f"Cannot {verb} the event source mapping because it is in use.",
        status=400,
        members={"Type": "User"},
    )
