"""What an event source mapping is, as it is stored. Defaults are left out, so that a new field needs no migration."""

from typing import Final, Literal

import msgspec

Kind = Literal["sqs", "kinesis", "dynamodb", "msk", "kafka"]
State = Literal["Creating", "Enabling", "Enabled", "Disabling", "Disabled", "Updating", "Deleting"]
Position = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]

# A mapping on its way to another state: it is settled within moments.
UNDER_WAY: Final[frozenset[State]] = frozenset({"Creating", "Enabling", "Disabling", "Updating", "Deleting"})
NOTHING_YET: Final = "No records processed"
OK: Final = "OK"


class Pollers(msgspec.Struct, frozen=True, omit_defaults=True):
    """Provisioned pollers: between how many and how many there are."""

    least: int
    most: int


class Access(msgspec.Struct, frozen=True):
    """One thing that a cluster wants to know of its clients: a secret, a certificate."""

    kind: str  # "BASIC_AUTH"
    uri: str


class Mapping(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mapping. What a kind of source does not know is left at its default."""

    uuid: str
    kind: Kind
    source: str  # ARN; of a cluster without one, its servers, joined by commas
    function: str  # ARN, qualified where a qualifier was given
    modified_at: float
    state: State
    enabled: bool = True  # where it is going, or is
    revision: int = 0  # rises with every change that somebody asked for
    batch_size: int = 10
    window_s: int | None = None  # None: nobody said; what that means depends on the kind
    filters: tuple[str, ...] | None = None  # patterns; None: never set
    reports_failures: bool = False  # ReportBatchItemFailures
    max_concurrency: int | None = None
    pollers: Pollers | None = None
    metrics: tuple[str, ...] | None = None
    position: Position | None = None
    position_at: float | None = None  # Unix seconds, of AT_TIMESTAMP
    factor: int = 1  # batches of one shard under way at once
    bisects: bool = False
    max_age_s: int = -1
    max_retries: int = -1
    tumbling_s: int = 0
    on_failure: str | None = None  # ARN
    topics: tuple[str, ...] = ()
    consumer_group: str | None = None
    access: tuple[Access, ...] = ()
    tags: dict[str, str] = {}
    last_result: str = NOTHING_YET

    @property
    def fifo(self) -> bool:
        return self.kind == "sqs" and self.source.endswith(".fifo")

    @property
    def counts_events(self) -> bool:
        """Whether its author wants to see the numbers of its events."""
        return self.metrics is not None and "EventCount" in self.metrics
