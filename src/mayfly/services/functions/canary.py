"""Which of an alias's two versions gets the next call: shares exact in the long run, without a rhythm. Pure.

Calls are placed along a sequence that moves by the golden ratio around a circle of 2**64 steps (a Weyl sequence of low
discrepancy). A call goes to the second version where the sequence lies within that version's part of the circle. After
any number of calls the second version's count differs from its share by a few calls at most, where drawing lots would
be off by the square root of their number; and unlike with strict turns, two clients that alternate do not each get a
version of their own.
"""

_CIRCLE = 1 << 64
_STEP = 0x9E3779B97F4A7C15  # the golden ratio's fractional part of the circle, made odd: every point is visited once


class Canary:
    """The turns of one alias. `start` is where on the circle they begin: any integer."""

    __slots__ = ("_at", "_below")

    def __init__(self, weight: float, start: int) -> None:
        """`weight`, 0 to 1, is the share of the second version."""
        if not 0.0 <= weight <= 1.0:
            raise ValueError(f"a weight lies between 0 and 1, not at {weight}")
        self._below = int(weight * _CIRCLE)
        self._at = start % _CIRCLE

    def second(self) -> bool:
        """Whether the next call goes to the second version."""
        self._at = (self._at + _STEP) % _CIRCLE
        return self._at < self._below


def shared(instances: int, weight: float) -> tuple[int, int]:
    """Provisioned instances of an alias, parted between its version and the second one by weight."""
    second = min(instances, int(instances * weight + 0.5))
    return instances - second, second
