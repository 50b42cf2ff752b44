"""The book of starts as JSON: what `mayfly starts` shows. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from math import ceil
from typing import Any

from mayfly.app.starts import MOST_STARTS, FunctionStarts, StartRecord

TIMES = ("total_ms", "queue_ms", "sandbox_ms", "runtime_ms", "restore_ms", "init_ms", "handler_ms")


def report(page: FunctionStarts, since: float, limit: int) -> dict[str, Any]:
    """`limit` starts, the latest first; counts since the server started; percentiles of the starts that are kept."""
    latest = list(reversed(page.recent))[:limit]
    return {
        "since": since,
        "counts": dict(page.counts),
        "kept": MOST_STARTS,
        "percentiles": percentiles(page.recent),
        "starts": [asdict(start) for start in latest],
        "imports": asdict(page.imports) if page.imports is not None else None,
    }


def percentiles(starts: Sequence[StartRecord]) -> dict[str, Any]:
    """By path: of how many starts, and p50 and p90 of each of the times (nearest rank)."""
    paths: dict[str, list[StartRecord]] = {}
    for start in starts:
        paths.setdefault(start.path, []).append(start)
    return {
        path: {"starts": len(group), **{time: _spread([getattr(start, time) for start in group]) for time in TIMES}}
        for path, group in sorted(paths.items())
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"p50": nearest_rank(values, 50), "p90": nearest_rank(values, 90)}


def nearest_rank(values: Sequence[float], per_cent: int) -> float:
    """The least of `values`, of which there is one at least, that `per_cent` (1 to 100) of them do not exceed."""
    return sorted(values)[ceil(len(values) * per_cent / 100) - 1]
