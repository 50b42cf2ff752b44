"""The domain types of scaling. Frozen; defaults are left out of what is stored."""

from typing import Literal

import msgspec

NAMESPACE = "lambda"
DIMENSION = "lambda:function:ProvisionedConcurrency"
METRIC = "LambdaProvisionedConcurrencyUtilization"


class Suspended(msgspec.Struct, frozen=True, omit_defaults=True):
    """What does not happen for now."""

    scaling_in: bool = False
    scaling_out: bool = False
    scheduled: bool = False


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version or alias whose provisioned concurrency is scaled."""

    resource: str  # "function:name:qualifier"
    id: str  # the end of its ARN
    least: int
    most: int
    created_at: float
    suspended: Suspended = Suspended()
    tags: dict[str, str] = {}
    out_at: float | None = None  # the last changes
    in_at: float | None = None
    out_to: int = 0
    due: str = ""  # why its capacity is to be brought between its bounds, where that is still to be done

    @property
    def place(self) -> str:
        return place_of(self.resource)

    @property
    def function(self) -> str:
        return self.resource.split(":")[1]

    @property
    def qualifier(self) -> str:
        return self.resource.split(":")[2]


class Tracked(msgspec.Struct, frozen=True, omit_defaults=True):
    """The configuration of a target tracking policy."""

    target: float
    out_cooldown_s: int | None = None  # None: 0
    in_cooldown_s: int | None = None
    disable_in: bool | None = None
    customized: dict[str, object] | None = None  # the metric as it was named, where it was not by its predefined name


class StepAdjustment(msgspec.Struct, frozen=True, omit_defaults=True):
    adjustment: int
    lower: float | None = None
    upper: float | None = None


class Stepped(msgspec.Struct, frozen=True, omit_defaults=True):
    """The configuration of a step scaling policy."""

    kind: Literal["ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity"]
    steps: tuple[StepAdjustment, ...]
    least_magnitude: int | None = None
    cooldown_s: int | None = None
    aggregation: str | None = None


class Policy(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a target follows demand: one of both."""

    name: str
    resource: str
    id: str
    created_at: float
    tracked: Tracked | None = None
    stepped: Stepped | None = None


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """New bounds for a target, by the clock."""

    name: str
    resource: str
    id: str
    schedule: str
    created_at: float
    anchor: float  # from which a rate counts
    zone: str | None = None  # None: UTC
    start: float | None = None
    end: float | None = None
    least: int | None = None
    most: int | None = None


class Activity(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change, or one that failed."""

    id: str
    resource: str
    description: str
    cause: str
    started_at: float
    ended_at: float
    status: Literal["Successful", "Failed"]
    message: str


def place_of(resource: str) -> str:
    """Where a resource's rows are."""
    return f"{NAMESPACE}|{resource}|{DIMENSION}"
