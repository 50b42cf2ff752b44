"""At which level of isolation a function runs: what it asks for, what is required of it, and what the server gives.

Pure. A *requirement* is the weakest level that will do: of the platform, or of the account. A function may ask for one
level by name; it gets that one or none. One that asks for nothing gets the server's own level where that will do, and
else the strongest that is required. There is no other level than these two for it to get, so there is no downgrade.
"""

from collections.abc import Iterable

from mayfly.errors import CallerError

# Levels that can be compared. Namespaces and containers are the same kernel behind the same layers; gVisor is another
# kernel in front of it. What an OCI runtime of some other name is worth is not known here: it will do for itself only.
STRENGTHS = {"process": 0, "namespace": 1, "container": 1, "gvisor": 2}


class LevelRefusedError(CallerError):
    """A function cannot run at the level that it asks for, or at none that would do; the message says why."""


def will_do(level: str, required: str) -> bool:
    """Whether `level` is what is required, or stronger."""
    if level == required:
        return True
    both = STRENGTHS.get(level), STRENGTHS.get(required)
    return both[0] is not None and both[1] is not None and both[0] >= both[1]


def strongest(required: Iterable[str]) -> str | None:
    """The requirement that, met, meets all the others; None when there is none, or none does."""
    wanted = list(dict.fromkeys(required))
    found = [one for one in wanted if all(will_do(one, other) for other in wanted)]
    return found[0] if found else None


def choose(asked: str | None, required: Iterable[str], own: str) -> str:
    """The level for a function that asks for `asked` (None: for nothing); `LevelRefusedError`."""
    needed = list(required)
    if asked is not None:
        for one in needed:
            if not will_do(asked, one):
                raise LevelRefusedError(f"the level {asked!r} is asked for, but at least {one!r} is required")
        return asked
    if all(will_do(own, one) for one in needed):
        return own
    chosen = strongest(needed)
    if chosen is None:
        raise LevelRefusedError(f"no level is all that is required: {', '.join(map(repr, needed))}")
    return chosen
