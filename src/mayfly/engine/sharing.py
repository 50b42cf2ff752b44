"""The instances of one target that run several calls at a time: which have room, and how much is to come.

`placement` asks here before it starts another instance. A call for which a starting instance will have a place waits
for it (`expecting`), apart from the calls that wait for an instance to be started at all: it needs no memory and no
turn.
"""

from collections import deque

from mayfly.engine.instance import Instance
from mayfly.engine.job import Job
from mayfly.policy import packing


class Sharing:
    """Part of a `Pool`, where its target allows several calls at a time."""

    def __init__(self, concurrency: int) -> None:
        self.capacity = concurrency  # of the next instance, as far as is known: that of the last one
        self.expecting: deque[Job] = deque()
        self._open: dict[str, Instance] = {}  # that had room when last looked at
        self._starting: dict[str, int] = {}  # how many of the calls each will run are spoken for already

    def began(self, instance_id: str, calls: int) -> None:
        """An instance is being started for so many calls."""
        self._starting[instance_id] = calls

    def ready(self, instance: Instance) -> None:
        """It says how many calls it takes."""
        self._starting.pop(instance.id, None)
        self.capacity = instance.capacity

    def ended(self, instance: Instance) -> None:
        self._starting.pop(instance.id, None)
        self._open.pop(instance.id, None)

    @property
    def to_come(self) -> int:
        """How many more calls may wait for what starts."""
        if not self._starting:
            return -len(self.expecting)
        places = [max(0, self.capacity - calls) for calls in self._starting.values()]
        return packing.places_to_come(places, len(self.expecting))

    def note(self, instance: Instance) -> None:
        """Its calls have changed."""
        if instance.has_room:
            self._open[instance.id] = instance
        else:
            self._open.pop(instance.id, None)

    def choose(self) -> Instance | None:
        """The instance that gets the next call; None when all are full, or idle."""
        if len(self._open) == 1:
            (instance,) = self._open.values()
            return instance if instance.has_room else None
        candidates = [instance for instance in self._open.values() if instance.has_room]
        if len(candidates) <= 1:
            return candidates[0] if candidates else None
        index = packing.fullest((instance.load, instance.capacity) for instance in candidates)
        return candidates[index] if index is not None else None
