"""What a resource type is to the driver, and what it is given to work with.

Contract. `create`, `update` and `delete` may be interrupted at any point by the death of the process and are then
called again with the same arguments, so each is idempotent: `create` takes over what an interrupted run left behind,
`delete` of something that is gone succeeds. The driver tells a first attempt from a repeated one: before the first, it
asks `exists`, so that a name that somebody else has is never taken over.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec

from mayfly.services.contract import ONCE, RequestContext, ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks.resources.schema import Fields


class Made(NamedTuple):
    """A resource as it stands: what `Ref` gives, and what `Fn::GetAtt` gives."""

    physical_id: str
    attributes: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Target:
    """Which resource is worked on."""

    stack_id: str
    stack_name: str
    logical_id: str
    generation: int  # rises with every replacement, so that old and new have different names
    account: str
    region: str

    def suffix(self, length: int = 12) -> str:
        """Characters that are this resource's own: the same on every attempt, others for its replacement."""
        seed = f"{self.stack_id}\0{self.logical_id}\0{self.generation}".encode()
        return base64.b32encode(hashlib.sha256(seed).digest()).decode()[:length]

    def name(self, limit: int, *, lower: bool = False) -> str:
        """A generated name, `stack-logical-suffix`, cut to `limit` characters with the suffix whole."""
        suffix = self.suffix()
        head = f"{self.stack_name}-{self.logical_id}"[: limit - len(suffix) - 1].rstrip("-")
        name = f"{head}-{suffix}"
        return name.lower() if lower else name


class Caller:
    """Calls operations of services in the name of whoever asked for the stack."""

    def __init__(self, operations: Operations, context: RequestContext, *, back: bool = False) -> None:
        """`back`: what is done takes back what was done before."""
        self._operations = operations
        self._context = context
        self.back = back

    @property
    def operation_id(self) -> str:
        """Of the operation on the stack; the same over restarts."""
        return self._context.request_id

    async def __call__(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """The reply; `ServiceError`."""
        return await self._operations.call(self._context, service, operation, params)

    async def once(self, target: Target, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """The reply of an operation that makes this resource under a number or an id that nobody can foresee: another
        attempt gets what the first one made; `ServiceError`."""
        token = hashlib.sha256(f"{target.stack_id}\0{target.logical_id}\0{target.generation}".encode()).hexdigest()
        named = msgspec.structs.replace(self._context, headers={**self._context.headers, ONCE: token})
        return await self._operations.call(named, service, operation, params)

    async def unless(self, codes: str, service: str, operation: str, **params: Any) -> dict[str, Any] | None:
        """The reply; None if the call fails with one of the error codes in `codes` (apart by blanks)."""
        try:
            return await self(service, operation, **params)
        except ServiceError as error:
            if error.code in codes.split():
                return None
            raise


# What a template says as a resource's UpdatePolicy stands under this name among its properties: evaluated, shaped and
# compared like one. No template can write it there itself.
UPDATE_POLICY = "$UpdatePolicy"


class ResourceType(Protocol):
    """One type. Implementations hold no state."""

    name: str  # "AWS::S3::Bucket"
    schema: Fields
    replaced_by: frozenset[str]  # properties whose change needs a new resource
    attributes: frozenset[str]  # what Fn::GetAtt knows

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        """What the resource will be called, or where it cannot be known ahead, a name that marks it."""

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        """The name that the template gives, which a replacement could not have as well; None if generated."""

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        """Whether something of that name is there already."""

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made: ...

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made: ...

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None: ...


def picked(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The members of `properties` under `names`, where present."""
    return {name: properties[name] for name in names if name in properties}


def changed(old: Mapping[str, Any], new: Mapping[str, Any], *names: str) -> bool:
    """Whether any of `names` differs."""
    return any(old.get(name) != new.get(name) for name in names)


def tag_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[dict[str, str]], list[str]]:
    """From two property sets with `Tags`: the tags to set, and the keys to remove."""
    before = {tag["Key"]: tag["Value"] for tag in old.get("Tags", ())}
    after = {tag["Key"]: tag["Value"] for tag in new.get("Tags", ())}
    put = [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]
    return put, [key for key in before if key not in after]
