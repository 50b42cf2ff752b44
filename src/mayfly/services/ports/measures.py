"""What is measured, and alarms on it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from mayfly.store.api import Reader, Tx


class Counted(NamedTuple):
    """Numbers of one metric that were gathered, all of about now."""

    namespace: str
    metric: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]  # sorted by name
    amounts: Sequence[float]


class MetricCounts(Protocol):
    """Given by the composition root, used by functions and APIs: numbers for metrics that no record of a call holds."""

    def count(
        self,
        metric: str,
        dimensions: Sequence[tuple[str, str]],
        amount: float = 1.0,
        unit: str = "Count",
        namespace: str = "AWS/Lambda",
    ) -> None:
        """Add to a metric, now, in a unit of CloudWatch's. What was counted within a second of a crash may be lost; it
        says nothing of work."""

    def gather(self, drain: Callable[[], Iterable[Counted]]) -> None:
        """From now on take what `drain` gives whenever metrics are settled: for numbers of every request, which are
        cheaper to keep than to count. It gives each number once."""


class Measured(NamedTuple):
    """Values of one metric in one minute."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]  # sorted by name
    unit: str
    at: int  # Unix seconds
    values: tuple[float, ...]  # finite


class MetricSink(Protocol):
    """Given by metrics, used by logs: what users have measured by the platform."""

    def measure(self, tx: Tx, found: Sequence[Measured]) -> None:
        """Add values to metrics as part of the caller's transaction. What is older than two weeks is left out."""


class AlarmStates(Protocol):
    """Given by metrics, used by functions: how alarms stand."""

    def states(self, reader: Reader, names: Sequence[str]) -> Mapping[str, str]:
        """ "OK", "ALARM" or "INSUFFICIENT_DATA" by name, of those that there are."""
