"""Counters of one engine, from its making on."""

from dataclasses import asdict, dataclass

from mayfly.engine.api import Counters


@dataclass(slots=True)
class Tally:
    """What `Counters` shows, while it counts."""

    calls: int = 0
    cold_starts: int = 0
    start_failures: int = 0
    throttles: int = 0
    evictions: int = 0
    expirations: int = 0

    def view(self) -> Counters:
        return Counters(**asdict(self))
