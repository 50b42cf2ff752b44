"""The domain types of rollouts. Frozen; stored as JSON, defaults left out, so that a new field needs no migration."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from mayfly.policy.rollouts import Kind, Limits, Observed, Shape

Status = Literal["Created", "InProgress", "Succeeded", "Failed", "Stopped"]
HookStatus = Literal["Pending", "InProgress", "Succeeded", "Failed", "Skipped"]
Phase = Literal["BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]
RollbackEvent = Literal["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"]

UNDER_WAY: Final = ("Created", "InProgress")
PREFIX: Final = "CodeDeployDefault.Lambda"
ALL_AT_ONCE: Final = Shape("all-at-once")
BUILT_IN: Final[Mapping[str, Shape]] = MappingProxyType(
    {f"{PREFIX}AllAtOnce": ALL_AT_ONCE}
    | {f"{PREFIX}Canary10Percent{minutes}Minutes": Shape("canary", 10, minutes * 60) for minutes in (5, 10, 15, 30)}
    | {
        f"{PREFIX}Linear10PercentEvery{minutes}Minute{'s' if minutes > 1 else ''}": Shape("linear", 10, minutes * 60)
        for minutes in (1, 2, 3, 10)
    }
)


class Application(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name for what is deployed together."""

    name: str
    id: str
    created_at: float
    tags: dict[str, str] = {}


class Config(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment configuration that somebody made."""

    name: str
    id: str
    created_at: float
    kind: Kind
    percent: int = 100
    minutes: int = 0

    @property
    def shape(self) -> Shape:
        return Shape(self.kind, self.percent, self.minutes * 60)


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whom to tell what becomes of a rollout."""

    name: str
    target_arn: str
    events: tuple[str, ...]


class Care(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rollout is watched by, what takes it back, who is told."""

    alarms: tuple[str, ...] = ()
    alarms_enabled: bool = False
    ignore_poll_failure: bool = False
    rollback_on: tuple[RollbackEvent, ...] = ()
    triggers: tuple[Trigger, ...] = ()


class Group(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment group: how an application is deployed."""

    application: str
    name: str
    id: str
    config: str
    role: str
    care: Care = Care()
    tags: dict[str, str] = {}


class Hook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function that has its say before, or after, the calls are shifted."""

    function: str  # name or ARN
    execution_id: str = ""
    status: HookStatus = "Pending"
    started_at: float | None = None
    ended_at: float | None = None
    message: str = ""


class Watched(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the calls of the new version came to, as far as the ledger was read."""

    position: int  # of the ledger, to read on from
    calls: int = 0
    errors: int = 0
    durations: dict[int, float] = {}  # in milliseconds, a sketch (`policy.quantiles`)


class Rollout(msgspec.Struct, frozen=True, omit_defaults=True):
    """One deployment: a version that takes over an alias."""

    id: str
    application: str
    group: str
    config: str
    function: str
    alias: str
    old: str  # versions
    new: str
    created_at: float
    revision: str  # the AppSpec, as it was given
    shape: Shape = ALL_AT_ONCE
    limits: Limits = Limits()
    care: Care = Care()
    creator: str = "user"
    description: str = ""
    status: Status = "Created"
    phase: Phase = "BeforeAllowTraffic"
    before: Hook | None = None
    after: Hook | None = None
    started_at: float | None = None
    shifted_at: float | None = None  # when the calls began to be shifted
    arrived_at: float | None = None  # when the new version had them all, and did well
    completed_at: float | None = None
    share: float = 0.0  # of the calls that go to the new version
    watched: Watched | None = None
    seen: Observed = Observed()
    stop: bool | None = None  # whether to stop, and if so, whether to go back
    error_code: str = ""
    error_message: str = ""
    rolled_back_by: str = ""  # the id of the deployment that took this one back
    takes_back: str = ""  # the id of the deployment that this one takes back
    rollback_message: str = ""

    @property
    def under_way(self) -> bool:
        return self.status in UNDER_WAY

    @property
    def qualified(self) -> str:
        """The alias with its function."""
        return f"{self.function}:{self.alias}"
