"""The domain types of events: buses, rules, targets, archives, replays, and the event itself."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from mayfly.ids import Arn

DEFAULT_BUS = "default"
PRINCIPAL = "events.amazonaws.com"  # who sends to targets
RuleState = Literal["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]
ReplayState = Literal["STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"]


class BusKey(NamedTuple):
    """Which bus."""

    account: str
    region: str
    name: str

    @property
    def arn(self) -> str:
        return str(Arn("events", self.region, self.account, f"event-bus/{self.name}"))

    def rule_arn(self, rule: str) -> str:
        """The ARN of a rule on this bus."""
        path = rule if self.name == DEFAULT_BUS else f"{self.name}/{rule}"
        return str(Arn("events", self.region, self.account, f"rule/{path}"))


class Bus(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event bus."""

    created_at: float
    modified_at: float
    description: str | None = None
    policy: str | None = None  # JSON
    dead_letter_arn: str | None = None


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule, without its targets. `pattern` and `schedule` as they were given; one of them at least."""

    name: str
    created_by: str
    state: RuleState = "ENABLED"
    pattern: str | None = None
    schedule: str | None = None
    description: str | None = None
    role_arn: str | None = None
    managed_by: str | None = None

    @property
    def enabled(self) -> bool:
        return self.state != "DISABLED"


class Transformer(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input transformer as it was given."""

    template: str
    paths: dict[str, str] = {}


class HttpParameters(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule adds to the requests of an API destination; values may be paths into the event."""

    path_values: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    query: dict[str, str] = {}


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target of a rule. At most one of `input`, `input_path` and `transformer`."""

    id: str
    arn: str
    role_arn: str | None = None
    input: str | None = None
    input_path: str | None = None
    transformer: Transformer | None = None
    group_id: str | None = None  # of SqsParameters
    http: HttpParameters | None = None
    dead_letter_arn: str | None = None
    max_attempts: int | None = None  # retries after the first attempt
    max_age_s: int | None = None


class Archive(msgspec.Struct, frozen=True, omit_defaults=True):
    """An archive of a bus; its counts are columns of its own."""

    created_at: float
    description: str | None = None
    pattern: str | None = None
    retention_days: int = 0  # 0: for ever


class Replay(msgspec.Struct, frozen=True, omit_defaults=True):
    """A replay, and how far it has come."""

    bus: str
    archive_serial: int
    start: float  # inclusive, the time in the event
    end: float  # exclusive
    began_at: float
    rules: tuple[str, ...] = ()  # ARNs of those that hear of it; none: all of the bus
    description: str | None = None
    ended_at: float | None = None
    reason: str | None = None
    last_at: float | None = None  # of the last event replayed, and its id: where to go on
    last_id: int = 0


class Event:
    """An event on its way: the JSON text that targets get, and the values that patterns look at."""

    __slots__ = ("_fields", "id", "text", "time", "trace")

    def __init__(
        self,
        id_: str,
        time: float,
        text: bytes,
        fields: Mapping[str, Any] | None = None,
        trace: str | None = None,
    ) -> None:
        self.trace = trace  # X-Ray's header, which goes along with the event and is no part of it
        self.id = id_
        self.time = time  # the time in the event, Unix seconds
        self.text = text
        self._fields = fields

    @property
    def fields(self) -> Mapping[str, Any]:
        """The event as values, decoded when first asked for."""
        if self._fields is None:
            decoded: Mapping[str, Any] = msgspec.json.decode(self.text)
            self._fields = decoded
        return self._fields
