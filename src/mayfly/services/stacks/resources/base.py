"""What a resource type is to the driver, and what it is given to work with.

Contract. `create`, `update` and `delete` may be interrupted at any point by the death of the process and are then
called again with the same arguments, so each is idempotent: `create` takes over what an interrupted run left behind,
`delete` of something that is gone succeeds. The driver tells a first attempt from a repeated one: before the first, it
asks `exists`, so that a name that somebody else has is never taken over. What `create` still does once the resource is
there under an id of the service's own stands in `made_as`.

A step may wait for something outside (another stack, an answer, an alarm). It does so inside `call.waiting()`, and
there holds none of the places in which the driver works; it keeps nothing in memory that the next process would need,
because that one calls it again; it counts its time from `target.since`, which a restart does not change, and raises
`ServiceError` NotStabilized when that is up. It may be cancelled at any point in there: its stack was given up.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn, Protocol

import msgspec

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.ids import request_id
from mayfly.services.contract import ONCE, RequestContext, ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks.post import Post
from mayfly.services.stacks.resources.schema import Fields, PropertyError
from mayfly.services.stacks.sealing import Store

# Among the attributes of a resource, says that none of their values may be shown.
NO_ECHO = "$NoEcho"


class NotMadeError(ServiceError):
    """A resource could not be made, changed or deleted, in words that are for the stack's events as they are.

    `physical_id`: by which it is to be deleted, where it has one nevertheless.
    """

    def __init__(self, message: str, physical_id: str = "") -> None:
        super().__init__("NotStabilized", message)
        self.physical_id = physical_id


class HalfMadeError(MayflyError):
    """A creation that failed after the resource was there: `cause` is what went wrong, `physical_id` what the resource
    is to be deleted by. Raised by `made_as`."""

    def __init__(self, cause: MayflyError | PropertyError, physical_id: str) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.physical_id = physical_id


@contextmanager
def made_as(physical_id: str) -> Iterator[None]:
    """Around what a creation has to do yet for a resource that is there already, under an id that nobody could
    foresee: where that fails, the resource is deleted by this id, and is no orphan."""
    try:
        yield
    except (MayflyError, PropertyError) as error:
        raise HalfMadeError(error, physical_id) from error


class Open(frozenset[str]):
    """The names of attributes of a type whose resources have attributes of their own, all that begin with a prefix."""

    prefix: str

    @classmethod
    def under(cls, prefix: str) -> "Open":
        made = cls()
        made.prefix = prefix
        return made

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.startswith(self.prefix)


class Made(NamedTuple):
    """A resource as it stands: what `Ref` gives, and what `Fn::GetAtt` gives."""

    physical_id: str
    attributes: Mapping[str, Any] = {}
    note: str = ""  # what its event, and whoever describes it, has to say of it


class Anything(frozenset[str]):
    """The attributes of a resource that answers any name there may be."""

    def __contains__(self, name: object) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Target:
    """Which resource is worked on."""

    stack_id: str
    stack_name: str
    logical_id: str
    generation: int  # rises with every replacement, so that old and new have different names
    account: str
    region: str
    type: str = ""  # as the template has it: "Custom::Thing"
    since: float = 0.0  # Unix seconds: when this step on it began, over restarts

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


class Children(Protocol):
    """Stacks that are resources of stacks. Given by `stacks.children`. Each returns when the work is done; all may be
    called again after a restart, and wait inside `call.waiting()`."""

    async def create(self, call: "Caller", target: Target, properties: Mapping[str, Any]) -> Made: ...

    async def update(self, call: "Caller", target: Target, made: Made, properties: Mapping[str, Any]) -> Made: ...

    async def delete(self, call: "Caller", target: Target, made: Made) -> None: ...

    async def release(self, call: "Caller", target: Target, made: Made) -> None:
        """Let a nested stack finish an update: what it replaced is deleted now."""


class Around(NamedTuple):
    """What types may need besides operations of services."""

    store: Store
    clock: Clock
    post: Post
    children: Children


class Caller:
    """Calls operations of services in the name of whoever asked for the stack."""

    def __init__(
        self,
        operations: Operations,
        context: RequestContext,
        *,
        back: bool = False,
        waiting: Callable[[], AbstractAsyncContextManager[Any]] = nullcontext,
        around: Around | None = None,
    ) -> None:
        """`back`: what is done takes back what was done before. `waiting` gives up the driver's place meanwhile."""
        self._operations = operations
        self._context = context
        self.back = back
        self.waiting = waiting
        self._around = around

    @property
    def context(self) -> RequestContext:
        """In whose name."""
        return self._context

    @property
    def around(self) -> Around:
        assert self._around is not None, "only a driver works on types that need it"
        return self._around

    @property
    def operation_id(self) -> str:
        """Of the operation on the stack; the same over restarts."""
        return self._context.request_id

    async def __call__(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """The reply; `ServiceError`."""
        return await self._operations.call(self._context, service, operation, params)

    async def apart(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """The reply of an operation that is to have a request id of its own, because something is kept under it;
        `ServiceError`."""
        named = msgspec.structs.replace(self._context, request_id=request_id())
        return await self._operations.call(named, service, operation, params)

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
CREATION_POLICY = "$CreationPolicy"  # likewise


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

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """The properties as they are in truth, in the template's form; None if the thing is gone.

        All of `properties` (as the stack last applied them) that the thing still has, and those that were set behind
        the stack's back; what a service fills in by itself, and nobody asked for, is left out. What cannot be read
        back (a secret, code) is given as it stands in `properties`. `UnreadableError` where the type cannot say.
        """


class Moving:
    """For types whose update may answer another physical id: that is a new resource then, and the old one is deleted
    at the end of the operation."""


class Restless:
    """For types whose update is to be asked for with every update of their stack, also where no property differs:
    what they are made of may have changed where a property points to."""


class UnreadableError(MayflyError):
    """Nobody can be asked how a resource of this type stands, so its drift is not checked."""


class Unreadable:
    """The `read` of types that cannot say how a resource stands, and say so."""

    async def read(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> NoReturn:
        raise UnreadableError(f"The drift of {target.logical_id} cannot be checked")


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
