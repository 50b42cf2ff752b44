"""The metrics of MetricsConfig: what became of a mapping's events, in `AWS/Lambda` by the mapping's id."""

from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.ports import MetricCounts


class EventMeter:
    """A `drivers.Meter` of one mapping."""

    def __init__(self, mapping: Mapping, counts: MetricCounts) -> None:
        self._counts = counts
        self._dimensions = (("EventSourceMappingUUID", mapping.uuid),)

    def add(self, metric: str, events: int) -> None:
        if events:
            self._counts.count(metric, self._dimensions, float(events))


class NoMeter:
    """Of a mapping that nobody wants to know the numbers of."""

    def add(self, metric: str, events: int) -> None:
        """Nobody looks."""


def meter_of(mapping: Mapping, counts: MetricCounts) -> EventMeter | NoMeter:
    return EventMeter(mapping, counts) if mapping.counts_events else NoMeter()
