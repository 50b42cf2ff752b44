"""What the schedules service keeps."""

from typing import Any, Literal

from msgspec import Struct

State = Literal["ENABLED", "DISABLED"]
Action = Literal["NONE", "DELETE"]

DEFAULT_GROUP = "default"
MAX_GROUPS = 500
MAX_AGE_S = 86_400
MAX_RETRIES = 185
SERVICE_PRINCIPAL = "scheduler.amazonaws.com"


class Group(Struct, frozen=True, array_like=True):
    """A schedule group, in the order of its columns."""

    name: str
    state: Literal["ACTIVE", "DELETING"]
    created_at: float
    modified_at: float
    tags: str  # JSON object


class Schedule(Struct, frozen=True, array_like=True):
    """A schedule. Stored in the order of its fields: new ones come last and have a default."""

    group: str
    name: str
    serial: str  # of this making: a schedule of the same name made later is another one
    expression: str
    zone: str
    state: State
    action: Action
    target: dict[str, Any]  # as the caller gave it, retry policy filled in
    created_at: float
    modified_at: float
    anchor: float  # where a rate counts from
    start: float | None = None
    end: float | None = None
    window_minutes: int | None = None
    description: str | None = None
    kms_key: str | None = None

    @staticmethod
    def key_of(group: str, name: str) -> str:
        """The key of a schedule at the ticker; a slash is in neither name."""
        return f"{group}/{name}"

    @property
    def key(self) -> str:
        return self.key_of(self.group, self.name)

    @property
    def max_age_s(self) -> int:
        return int(self.target["RetryPolicy"]["MaximumEventAgeInSeconds"])


class Delivery(Struct, frozen=True, array_like=True):
    """One tick's event on the way to its target, as it waits in the ready queue. Holds what the tick found, so that
    it goes on when the schedule is changed or deleted. New fields come last and have a default."""

    group: str
    name: str
    serial: str
    target: dict[str, Any]
    at: float  # the moment the tick stands for
    execution_id: str
    accepted_at: float  # its age counts from here
    attempts: int = 0  # made, all of which failed
    last: bool = False  # with its end the schedule is completed, and to be deleted
    error_code: str = ""  # of the last attempt
    error_message: str = ""
