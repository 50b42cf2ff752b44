"""Stacks on a real store, with services that the test sees through and can make fail."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.vault import FileVault
from mayfly.clock import ManualClock
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import Vault
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.cloudformation.nested import NestedStack
from mayfly.services.stacks.resources.schema import INTEGER, JSON, STRING, fields
from mayfly.services.stacks.service import StacksService
from mayfly.store.sqlite import SqliteStore

ACCOUNT = "123456789012"
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
CONTEXT = RequestContext("request-1", ACCOUNT, "us-east-1", ROOT, "http://127.0.0.1:4566")


class Shelf:
    """A service of things by name: what it holds outlives a `StacksService`, as a real one outlives a crash.

    `fail` names things whose next calls fail, by operation; `gates` hold calls until they are opened; `log` has every
    call that took effect.
    """

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.fail: dict[str, ServiceError] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.reached: dict[str, asyncio.Event] = {}
        self.after: dict[str, Callable[[], None]] = {}  # what happens once a call took effect
        self.principals: set[str] = set()
        self.most_at_once = 0
        self.replies: dict[tuple[str, str], Callable[[Mapping[str, Any]], dict[str, Any]]] = {}  # of other services
        self._now = 0

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        if (service, operation) in self.replies:
            return self.replies[service, operation](params)
        name = params["Name"]
        key = f"{operation} {name.split('-')[-2] if '-' in name else name}"
        self.principals.add(context.principal.arn)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            self.reached.setdefault(key, asyncio.Event()).set()
            if key in self.fail:
                raise self.fail[key]
            found = self._act(operation, name, params, key)
            self.after.pop(key, lambda: None)()
            if key in self.gates:
                await self.gates[key].wait()
            else:
                await asyncio.sleep(0)
            return found
        finally:
            self._now -= 1

    def _act(self, operation: str, name: str, params: Mapping[str, Any], key: str) -> dict[str, Any]:
        if operation == "Get":
            if name not in self.things:
                raise ServiceError("NotFound", f"{name} is not there")
            return self.things[name]
        self.log.append(key)
        if operation == "Create" and name in self.things:
            raise ServiceError("Taken", f"{name} is taken")
        if operation == "Delete":
            if name not in self.things:
                raise ServiceError("NotFound", f"{name} is not there")
            del self.things[name]
        else:
            self.things[name] = dict(params["Properties"])
        return {}


class Thing:
    """A resource type over `Shelf`: `Size` is changed in place, `Kind` and `Name` by replacement."""

    name = "Test::Shelf::Thing"
    schema = fields("", Name=STRING, Size=INTEGER, Kind=STRING, Needs=JSON, Label=STRING)
    replaced_by = frozenset({"Name", "Kind"})
    attributes = frozenset({"Arn", "Upper"})

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return self.custom_name(properties) or target.name(60)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return properties.get("Name")

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        name = self.physical_id(target, properties)
        return await call.unless("NotFound", "shelf", "Get", Name=name) is not None

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        name = self.physical_id(target, properties)
        await call.unless("Taken", "shelf", "Create", Name=name, Properties=dict(properties))
        return self._made(name)

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await call("shelf", "Update", Name=made.physical_id, Properties=dict(new))
        return self._made(made.physical_id)

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless("NotFound", "shelf", "Delete", Name=made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        return await call.unless("NotFound", "shelf", "Get", Name=made.physical_id)

    def _made(self, name: str) -> Made:
        return Made(name, {"Arn": f"arn:aws:shelf:::{name}", "Upper": name.upper()})


class Macro(Thing):
    """What says that a function is a macro; the row is all there is of it."""

    name = "AWS::CloudFormation::Macro"
    schema = fields("Name FunctionName", Name=STRING, FunctionName=STRING)

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return Made(properties["Name"])

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        """Its row goes."""


class Bucketful:
    """A `CodeSource` of texts by (bucket, key)."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    async def open(self, bucket: str, key: str, version: str | None) -> AsyncIterator[bytes]:
        if (bucket, key) not in self.objects:
            raise ServiceError("NoSuchKey", "The specified key does not exist.", status=404)

        async def chunks() -> AsyncIterator[bytes]:
            yield self.objects[bucket, key]

        return chunks()


class Stage:
    """A `StacksService` that can be restarted, and calls to it."""

    def __init__(self, store: SqliteStore, vault: Vault, clock: ManualClock) -> None:
        self.store = store
        self.vault = vault
        self.clock = clock
        self.shelf = Shelf()
        self.code = Bucketful()
        self.service = self._build()

    def _build(self) -> StacksService:
        return StacksService(
            self.store,
            self.vault,
            self.shelf,
            self.code,
            self.clock,
            {Thing.name: Thing(), Macro.name: Macro(), NestedStack.name: NestedStack()},
        )

    async def restart(self) -> None:
        """Stop the service where it is, as a crash would, and start another on the same store."""
        await self.service.stop()
        for gate in self.shelf.gates.values():
            gate.set()
        self.shelf.gates.clear()
        self.service = self._build()
        await self.service.start()

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        reply: dict[str, Any] = await self.service.operations[operation](CONTEXT, params)
        return reply

    async def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        with pytest.raises(ServiceError) as caught:
            await self.call(operation, **params)
        return caught.value.code, caught.value.message

    async def settled(self, name: str = "s") -> dict[str, Any]:
        """The stack once nothing runs on it."""
        stack = await self.stack(name)
        await self.service.driver.settled(stack["StackId"])
        return await self.stack(stack["StackId"])

    async def stack(self, name: str = "s") -> dict[str, Any]:
        found: dict[str, Any] = (await self.call("DescribeStacks", StackName=name))["Stacks"][0]
        return found

    async def create(self, resources: Any, name: str = "s", more: Any = None, **params: Any) -> dict[str, Any]:
        """Create a stack and wait for the end of it."""
        await self.call("CreateStack", StackName=name, TemplateBody=template(resources, **(more or {})), **params)
        return await self.settled(name)

    async def update(self, resources: Any, name: str = "s", more: Any = None, **params: Any) -> dict[str, Any]:
        """Update a stack and wait for the end of it."""
        await self.call("UpdateStack", StackName=name, TemplateBody=template(resources, **(more or {})), **params)
        return await self.settled(name)

    async def events(self, name: str = "s") -> list[tuple[str, str]]:
        """Who came to which status, in order."""
        found: list[Any] = []
        token: dict[str, str] = {}
        while True:
            page = await self.call("DescribeStackEvents", StackName=name, **token)
            found += page["StackEvents"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(found)]

    def held(self) -> dict[str, dict[str, Any]]:
        """What the shelf holds, by logical id (or by name, for names of one's own)."""
        return {name.split("-")[-2] if "-" in name else name: value for name, value in self.shelf.things.items()}


def thing(**properties: Any) -> dict[str, Any]:
    attributes = {name: properties.pop(name) for name in list(properties) if name in ("DependsOn", "DeletionPolicy",
                  "UpdateReplacePolicy", "Condition")}  # fmt: skip
    return {"Type": Thing.name, "Properties": properties, **attributes}


def template(resources: Any, **sections: Any) -> str:
    return json.dumps({"Resources": resources, **sections})


@pytest.fixture
async def stage(
    open_store: Callable[..., Awaitable[SqliteStore]], clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Stage]:
    stage = Stage(await open_store("mayfly.services.stacks"), FileVault(tmp_path / "secrets.key"), clock)
    await stage.service.start()
    yield stage
    for gate in stage.shelf.gates.values():
        gate.set()
    await stage.service.stop()
