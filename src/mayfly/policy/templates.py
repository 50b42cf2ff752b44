"""When a template of a version's packages is worth its memory. Pure.

A template saves each later start the time of the imports that are not the function's own. It costs a process, some
megabytes, and as much work as one start.
"""

from collections.abc import Iterable
from typing import NamedTuple

# What a fork from a template with packages costs more than one from the interpreter's; below it nothing is won.
LEAST_SAVED_US = 3_000


class Loaded(NamedTuple):
    """One module that an init imported."""

    name: str
    own_us: int  # without what it imported


def worth_it(imports: Iterable[Loaded], handler: str) -> bool:
    """Whether the modules outside of the handler's own package took long enough."""
    own = handler.replace("/", ".").split(".")[0]
    return sum(max(0, one.own_us) for one in imports if one.name.split(".")[0] != own) >= LEAST_SAVED_US
