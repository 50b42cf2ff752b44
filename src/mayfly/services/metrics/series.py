"""Where numbers are kept: data added to points, points read back, old ones joined into longer spans.

Called by PutMetricData, by the platform for metrics of its own, and by whatever asks for statistics. A point holds
sums, so that points of any spans can be added up to longer periods, and a sketch for percentiles. Everything of one
call is one transaction.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from mayfly.policy.quantiles import Sketch, merge
from mayfly.services.metrics import statements as sql
from mayfly.services.metrics.model import SPANS, Datum, Dimensions, Point
from mayfly.store.api import Reader, Tx

ROLL_UP_ROWS = 2000  # of one transaction

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[int, float])


class _Sum:
    """Points being added up."""

    __slots__ = ("known", "maximum", "minimum", "samples", "sketch", "total")

    def __init__(self) -> None:
        self.samples = self.total = 0.0
        self.minimum, self.maximum = float("inf"), float("-inf")
        self.sketch: Sketch = {}
        self.known = True

    def add(self, samples: float, total: float, minimum: float, maximum: float, sketch: Sketch | None) -> None:
        self.samples += samples
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)
        if sketch is None:
            self.known = False
        elif self.known:
            merge(self.sketch, sketch)

    def row(self, series: int, at: int, span_s: int) -> dict[str, Any]:
        return {
            "series": series,
            "at": at,
            "span_s": span_s,
            "samples": self.samples,
            "total": self.total,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "sketch": _encoder.encode(self.sketch) if self.known else None,
        }


def written(dimensions: Dimensions) -> str:
    """Dimensions as they are stored."""
    return json.dumps(dimensions, separators=(",", ":"))


def record(tx: Tx, data: Iterable[Datum]) -> None:
    """Add `data` to what is there."""
    sums: defaultdict[tuple[int, int, int], _Sum] = defaultdict(_Sum)
    known: dict[tuple[str, str, Dimensions, str], int] = {}
    newest: dict[int, int] = {}
    for datum in data:
        place = (datum.namespace, datum.name, datum.dimensions, datum.unit)
        series = known.get(place)
        if series is None:
            series = known[place] = _series(tx, datum)
        newest[series] = max(newest.get(series, 0), datum.at)
        span_s = 1 if datum.high_resolution else 60
        sums[series, datum.at - datum.at % span_s, span_s].add(
            datum.samples, datum.total, datum.minimum, datum.maximum, datum.sketch
        )
    _add(tx, sums)
    tx.many(sql.TOUCH_SERIES, [{"id": series, "at": at} for series, at in newest.items()])


def read(reader: Reader, metric: tuple[str, str, Dimensions], since: int, until: int, unit: str | None) -> list[Point]:
    """All points of a metric that begin in [since, until), in order within each unit."""
    namespace, name, dimensions = metric
    found = []
    wanted = {"namespace": namespace, "name": name, "dimensions": written(dimensions)}
    for series, measured_in in reader.all(sql.SERIES_OF_METRIC, wanted):
        if unit is None or unit == measured_in:
            span = {"series": series, "since": since, "until": until, "limit": 1_000_000}
            found += [_point(measured_in, row) for row in reader.all(sql.POINTS, span)]
    return found


def roll_up(tx: Tx, now: float) -> bool:
    """Join some of what is older than its span is kept; whether there is more of it."""
    more = False
    for (span_s, kept_s), (longer_s, _) in zip(SPANS, [*SPANS[1:], (0, 0)], strict=True):
        before = int(now) - kept_s
        rows = tx.all(sql.OLD_POINTS, {"span_s": span_s, "before": before, "limit": ROLL_UP_ROWS})
        more = more or len(rows) == ROLL_UP_ROWS
        tx.many(sql.DELETE_POINT, [{"series": row[0], "at": row[1], "span_s": span_s} for row in rows])
        if longer_s:
            sums: defaultdict[tuple[int, int, int], _Sum] = defaultdict(_Sum)
            for series, at, samples, total, minimum, maximum, sketch in rows:
                place = (series, at - at % longer_s, longer_s)
                sums[place].add(samples, total, minimum, maximum, _decoded(sketch))
            _add(tx, sums)
    return more


def _series(tx: Tx, datum: Datum) -> int:
    place = {
        "namespace": datum.namespace,
        "name": datum.name,
        "dimensions": written(datum.dimensions),
        "unit": datum.unit,
    }
    row = tx.one(sql.FIND_SERIES, place)
    if row is not None:
        return int(row[0])
    row = tx.one(sql.NEXT_SERIES_ID)
    assert row is not None, "an aggregate has a row"
    tx.run(sql.INSERT_SERIES, {**place, "id": row[0], "at": datum.at})
    return int(row[0])


def _add(tx: Tx, sums: "defaultdict[tuple[int, int, int], _Sum]") -> None:
    rows: list[dict[str, Any]] = []
    for (series, at, span_s), added in sums.items():
        row = tx.one(sql.FIND_SKETCH, {"series": series, "at": at, "span_s": span_s})
        if row is not None:
            before = _decoded(row[0])
            if before is None:
                added.known = False
            elif added.known:
                merge(added.sketch, before)
        rows.append(added.row(series, at, span_s))
    tx.many(sql.ADD_POINT, rows)


def _point(unit: str, row: Sequence[Any]) -> Point:
    at, span_s, samples, total, minimum, maximum, sketch = row
    return Point(unit, at, span_s, samples, total, minimum, maximum, _decoded(sketch))


def _decoded(sketch: bytes | None) -> Sketch | None:
    return None if sketch is None else _decoder.decode(sketch)
