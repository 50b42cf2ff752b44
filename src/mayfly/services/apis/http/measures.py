"""Metrics of HTTP APIs, `AWS/ApiGateway`: noted for every request, told when they are asked for.

By API, by stage, and by route where its settings ask for detailed metrics. Noting is one append: what is done with the
numbers is done when metrics are settled.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from mayfly.services.ports import Counted

NAMESPACE: Final = "AWS/ApiGateway"


class Note(NamedTuple):
    """One request."""

    status: int
    latency_ms: int  # whole ones, as AWS has them: many requests with few different numbers are cheap to sum up
    integration_ms: int | None  # None: nothing was called
    bytes_out: int
    route: tuple[str, str] | None  # method and path of a route with metrics of its own


class Measures(list[Note]):
    """What happened in one stage since it was told last."""

    __slots__ = ("api_id", "stage")

    def __init__(self, api_id: str, stage: str) -> None:
        super().__init__()
        self.api_id = api_id
        self.stage = stage


class Metering:
    """The measures of all stages. They outlive changes of their APIs."""

    def __init__(self) -> None:
        self._stages: dict[tuple[str, str], Measures] = {}

    def of(self, api_id: str, stage: str) -> Measures:
        """Where the requests of a stage are noted."""
        return self._stages.setdefault((api_id, stage), Measures(api_id, stage))

    def drain(self) -> Iterator[Counted]:
        """What was noted since the last time, for `MetricCounts.gather`."""
        for found in list(self._stages.values()):
            if not found:
                continue
            notes = list(found)
            found.clear()
            api, stage = ("ApiId", found.api_id), ("Stage", found.stage)
            yield from _counted(notes, (api,))
            yield from _counted(notes, (api, stage))
            by_route: dict[tuple[str, str], list[Note]] = {}
            for note in notes:
                if note.route is not None:
                    by_route.setdefault(note.route, []).append(note)
            for (method, path), some in by_route.items():
                yield from _counted(some, (api, ("Method", method), ("Resource", path), stage))


def _counted(notes: list[Note], dimensions: tuple[tuple[str, str], ...]) -> Iterator[Counted]:
    called = [note.integration_ms for note in notes if note.integration_ms is not None]
    yield Counted(NAMESPACE, "Count", "Count", dimensions, [1.0] * len(notes))
    yield Counted(NAMESPACE, "4xx", "Count", dimensions, [float(400 <= note.status < 500) for note in notes])
    yield Counted(NAMESPACE, "5xx", "Count", dimensions, [float(note.status >= 500) for note in notes])
    yield Counted(NAMESPACE, "Latency", "Milliseconds", dimensions, [note.latency_ms for note in notes])
    if called:
        yield Counted(NAMESPACE, "IntegrationLatency", "Milliseconds", dimensions, called)
    yield Counted(NAMESPACE, "DataProcessed", "Bytes", dimensions, [float(note.bytes_out) for note in notes])
