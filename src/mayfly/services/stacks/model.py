"""What is durable about stacks, as values."""

from typing import Any, Literal

import msgspec

from mayfly.services.contract import RequestContext
from mayfly.services.stacks.template.document import EMPTY, Template

# What becomes of a row that is not the current one any more.
Role = Literal["current", "replaced", "removed", "discarded"]
# "forward": towards the new definition; "watch": it is there, and alarms may still say no; "rollback": back to the last
# good one; "cleanup": what neither needs is deleted; "delete": everything is.
Phase = Literal["forward", "watch", "rollback", "cleanup", "delete"]


ATTEMPTED = "TemplateBody"  # among a stack's options: the template of a creation that failed


class Definition(msgspec.Struct, frozen=True):
    """What a stack is to be: a template without macros, and the values of its parameters."""

    template: Template = EMPTY
    parameters: dict[str, str | list[str]] = {}
    tags: dict[str, str] = {}
    capabilities: tuple[str, ...] = ()
    body: str = ""  # as the caller wrote it
    transforms: tuple[str, ...] = ()
    stored: dict[str, str | list[str]] = {}  # what parameters found in the parameter store, under their names
    outside: dict[str, Any] = {}  # what other stacks gave, see `template.outside`
    notifications: tuple[str, ...] = ()  # topics

    def values(self) -> dict[str, str | list[str]]:
        """What the parameters stand for in expressions."""
        return {**self.parameters, **self.stored}


class Operation(msgspec.Struct, frozen=True):
    """What is being done to a stack; on the disk until it is over, so that a restart goes on with it."""

    kind: Literal["create", "update", "delete", "import"]
    phase: Phase
    context: RequestContext  # in whose name
    definition: Definition = Definition()
    on_failure: Literal["ROLLBACK", "DO_NOTHING", "DELETE"] = "ROLLBACK"
    retain: tuple[str, ...] = ()  # logical ids that a deletion leaves alone
    token: str = ""  # ClientRequestToken
    deadline: float | None = None  # Unix seconds
    cancelled: bool = False  # an update that is to be given up
    held: bool = False  # an update of a nested stack: what it replaced stays until the stack around it is done
    before: Definition | None = None  # of such an update that is through: what a rollback goes back to
    skip: tuple[str, ...] = ()  # logical ids that a rollback takes for good as they are
    force: bool = False  # a deletion that leaves behind what cannot be deleted
    spare_none: bool = False  # of what was made in vain, nothing is retained
    imported: tuple[str, ...] = ()  # logical ids of what exists already and is taken over
    policy: str = ""  # the stack policy that holds for this update instead of the stack's
    watched_until: float = 0.0  # Unix seconds: how long alarms are looked at in the phase "watch"


class Stack(msgspec.Struct, frozen=True):
    id: str  # its ARN
    account: str
    region: str
    name: str
    status: str
    reason: str
    created_at: float
    updated_at: float | None
    deleted_at: float | None
    definition: Definition  # the last one that was reached
    outputs: dict[str, str]
    options: dict[str, Any]  # DisableRollback, EnableTerminationProtection, …: as DescribeStacks shows them
    operation: Operation | None


class Resource(msgspec.Struct, frozen=True):
    """One generation of a resource: a replacement makes the next."""

    stack_id: str
    logical_id: str
    generation: int
    role: Role
    type: str
    physical_id: str
    status: str
    reason: str
    updated_at: float
    properties: dict[str, Any]  # as last applied
    pending: dict[str, Any] | None  # being applied: until that is known to have worked, either may be in force
    attributes: dict[str, Any]
    depends_on: tuple[str, ...]
    deletion_policy: str
    replace_policy: str
    begun: bool  # whether its creation may have had an effect


class Event(msgspec.Struct, frozen=True):
    stack_id: str
    number: int  # rises within a stack
    id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    properties: str  # JSON text, or ""
    token: str
    at: float


def busy(status: str) -> bool:
    """Whether an operation runs on a stack of this status."""
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"
