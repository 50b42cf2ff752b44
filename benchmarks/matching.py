"""The matcher alone: what one event costs an index of ten patterns and one of 10,000, by the kind of pattern.

In this process, in processor time, interleaved. The event matches one pattern of each index. Beside it what trying one
pattern after the other costs.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.platform import Running
from benchmarks.report import Report, Row
from mayfly.matching.index import Index
from mayfly.matching.pattern import Pattern, compile_pattern

FEW, MANY = 10, 10_000
ROUNDS, MATCHES = 5, 1000
ONE = 77

Event = dict[str, Any]
KINDS: dict[str, tuple[Callable[[int], Event], Event]] = {
    "exact values": (
        lambda n: {"source": ["shop"], "detail-type": ["sold", "returned"], "detail": {"article": [f"a{n}"]}},
        {"source": "shop", "detail-type": "sold", "detail": {"article": f"a{ONE}", "price": 5}},
    ),
    "prefixes": (lambda n: {"detail": {"key": [{"prefix": f"{n}/"}]}}, {"detail": {"key": f"{ONE}/x.png"}}),
    "suffixes": (lambda n: {"detail": {"key": [{"suffix": f".{n}"}]}}, {"detail": {"key": f"x.{ONE}"}}),
    "wildcards": (lambda n: {"detail": {"key": [{"wildcard": f"{n}/*.png"}]}}, {"detail": {"key": f"{ONE}/x.png"}}),
    "ranges": (
        lambda n: {"detail": {"size": [{"numeric": [">=", 10 * n, "<", 10 * n + 10]}]}},
        {"detail": {"size": 10 * ONE + 5}},
    ),
    "networks": (
        lambda n: {"detail": {"ip": [{"cidr": f"10.{n // 256}.{n % 256}.0/24"}]}},
        {"detail": {"ip": f"10.0.{ONE}.9"}},
    ),
    "anything but, of one source each": (
        lambda n: {"source": [f"s{n}"], "detail": {"key": [{"anything-but": f"k{n}"}]}},
        {"source": f"s{ONE}", "detail": {"key": "other"}},
    ),
}


def matching(_platform: Running, report: Report) -> None:
    """See the module."""
    for kind, (make, event) in KINDS.items():
        patterns = [compile_pattern(make(number)) for number in range(MANY)]
        few, many = _index(patterns[ONE - FEW + 1 : ONE + 1]), _index(patterns)
        times = [(_cost(few, event), _cost(many, event)) for _ in range(ROUNDS)]
        at_few, at_many = (statistics.median(column) for column in zip(*times, strict=True))
        report.add(Row(f"matching {kind}: one event, {MANY:,} patterns", at_many, "µs", at_few, f"{FEW} patterns"))
    started = time.process_time()
    for _ in range(3):
        for pattern in patterns:
            pattern.matches(event)
    report.add(Row(f"matching: trying {MANY:,} patterns one by one", (time.process_time() - started) / 3 * 1e6, "µs"))


def _index(patterns: list[Pattern]) -> Index[int]:
    index: Index[int] = Index()
    for number, pattern in enumerate(patterns):
        index.add(number, pattern)
    return index


def _cost(index: Index[int], event: Event) -> float:
    """Microseconds of a match."""
    if len(index.match(event)) != 1:
        raise RuntimeError("one pattern should match")
    started = time.process_time()
    for _ in range(MATCHES):
        index.match(event)
    return (time.process_time() - started) / MATCHES * 1e6
