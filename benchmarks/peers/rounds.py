"""Measures a peer and Mayfly in turns."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load
from benchmarks.peers.exchange import once
from benchmarks.peers.figures import Metric, Pair, added, mayfly_first
from benchmarks.peers.mayfly import Mayfly
from benchmarks.peers.processes import below_but, end_all_but, memory_mb
from benchmarks.peers.subject import KINDS, Kind, Peer, Subject

_STARTS = 3  # in a round, of which the median counts
_SLOW_MS = 2000.0  # one is enough of starts that take longer
_SETTLE_S = 2.0  # before memory is read
_INSTANCES = 8
_CONNECTIONS = 16
Pairs = dict[Metric, list[Pair]]


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: float  # of each warm load


@dataclass
class Memory:
    """MiB of one subject."""

    idle: float
    added: dict[Kind, float | None] = field(default_factory=dict)


def memory(subject: Subject, read: Callable[[], float]) -> Memory:
    """With one idle instance of hello, and what more of them add; to be asked first of all."""
    once(subject.target())
    time.sleep(_SETTLE_S)
    found = Memory(read())
    for kind in KINDS:
        if subject.add(kind, 1) == 0:
            found.added[kind] = None
            continue
        time.sleep(_SETTLE_S)
        before = read()
        more = subject.add(kind, _INSTANCES)
        time.sleep(_SETTLE_S)
        found.added[kind] = added(before, read(), more)
    return found


def measure(
    found: Pairs, peer: Peer, home: Path, mayfly: Mayfly, of_mayfly: Memory, plan: Plan, say: Callable[[str], None]
) -> None:
    """All rounds of one peer into `found`, after which nothing of it runs."""
    try:
        with peer.running(home) as subject:
            of_peer = memory(subject, lambda: memory_mb(below_but(mayfly.pids())))
            _compare_memory(found, of_peer, of_mayfly)
            for who in (mayfly, subject):
                _load(who, _CONNECTIONS, plan.seconds)  # it has as many instances as it wants from here on
            for number in range(plan.rounds):
                say(f"round {number + 1} of {plan.rounds}")
                _round(found, subject, mayfly, plan, number)
    finally:
        end_all_but(mayfly.pids)


def _compare_memory(found: Pairs, peer: Memory, mayfly: Memory) -> None:
    if peer.idle > 0:
        found["idle memory"] = [Pair(peer.idle, mayfly.idle)]
    metrics: dict[Kind, Metric] = {"hello": "added hello", "pandas": "added pandas"}
    for kind, metric in metrics.items():
        theirs, ours = peer.added.get(kind), mayfly.added.get(kind)
        if theirs is not None and ours is not None:
            found[metric] = [Pair(theirs, ours)]


def _round(found: Pairs, subject: Subject, mayfly: Mayfly, plan: Plan, number: int) -> None:
    """Every metric once, of both, one right after the other."""
    metrics: dict[Metric, Callable[[Subject], float | None]] = {
        "cold hello": lambda who: _cold(who, "hello"),
        "cold pandas": lambda who: _cold(who, "pandas"),
        "latency at 1": lambda who: _load(who, 1, plan.seconds).p50_ms,
        "throughput at 16": lambda who: _load(who, _CONNECTIONS, plan.seconds).per_second,
    }
    for metric, take in metrics.items():
        if mayfly_first(number):
            ours, theirs = take(mayfly), take(subject)
        else:
            theirs, ours = take(subject), take(mayfly)
        if theirs is not None and ours is not None:
            found.setdefault(metric, []).append(Pair(theirs, ours))


def _cold(who: Subject, kind: Kind) -> float | None:
    samples: list[float] = []
    while len(samples) < _STARTS and (not samples or samples[-1] < _SLOW_MS):
        took = who.cold(kind)
        if took is None:
            return None
        samples.append(took)
    return statistics.median(samples)


def _load(who: Subject, connections: int, seconds: float) -> load.Load:
    target = who.target()
    # What a process of the peer's uses is not asked, so the watched one is this.
    subject = load.Subject(target.port, os.getpid(), target.request, target.body, target.host)
    done = load.run(subject, connections, seconds)
    if done.errors:
        raise RuntimeError(f"{done.errors} of {done.requests} replies were wrong")
    return done
