"""What the pipes service keeps, and its states."""

from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

Desired = Literal["RUNNING", "STOPPED", "DELETED"]
State = Literal[
    "RUNNING",
    "STOPPED",
    "CREATING",
    "UPDATING",
    "DELETING",
    "STARTING",
    "STOPPING",
    "CREATE_FAILED",
    "UPDATE_FAILED",
    "START_FAILED",
    "STOP_FAILED",
    "DELETE_FAILED",
]

SERVICE_PRINCIPAL = "pipes.amazonaws.com"
MAX_PIPES = 1000
# A pipe on its way from one state to another: nothing else may be asked of it meanwhile.
UNDER_WAY: frozenset[State] = frozenset({"CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING"})
# What becomes of a pipe that cannot be run after all, by the state that it is in.
FAILED: MappingProxyType[State, State] = MappingProxyType(
    {
        "CREATING": "CREATE_FAILED",
        "UPDATING": "UPDATE_FAILED",
        "STARTING": "START_FAILED",
        "RUNNING": "START_FAILED",
    }
)


class Pipe(Struct, frozen=True, array_like=True):
    """A pipe. Stored in the order of its fields: new ones come last and have a default."""

    name: str
    source: str
    target: str
    role: str
    desired: Desired
    state: State
    created_at: float
    modified_at: float
    source_parameters: dict[str, Any]
    target_parameters: dict[str, Any]
    enrichment: str = ""  # empty: none
    enrichment_parameters: dict[str, Any] = {}
    log: dict[str, Any] = {}
    tags: dict[str, str] = {}
    description: str | None = None
    kms_key: str | None = None
    reason: str | None = None  # why it is in its state
