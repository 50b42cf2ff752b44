"""Which calls are traced: the first of every second, and a share of the others. Pure.

X-Ray's rule for functions: one request a second and 5 % of additional ones
(https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html).
"""

import math
from typing import NamedTuple

RATE = 0.05


class Sampled(NamedTuple):
    """The decision about one call, and what the next one needs to know."""

    yes: bool
    second: int  # the last in which a call was traced for being the first of it


def decide(second: int, now: float, draw: float) -> Sampled:
    """Whether a call at `now` (Unix seconds) is traced; `draw` is random, from 0 up to 1.

    A clock that goes back gives no second twice.
    """
    current = math.floor(now)
    if current > second:
        return Sampled(True, current)
    return Sampled(draw < RATE, second)
