"""Which version has which stage after a change: AWSCURRENT and what follows it. Pure.

A stage is on one version at most. The version that loses AWSCURRENT gets AWSPREVIOUS, and is no longer pending.
"""

from collections.abc import Iterable, Sequence

import msgspec

from mayfly.services.configs.secrets.model import CURRENT, PENDING, PREVIOUS, Version

MOST_DEPRECATED = 100  # versions without stages that are kept


def staged(versions: Sequence[Version], id_: str, stages: Iterable[str]) -> tuple[Version, ...]:
    """`versions` with `stages` moved to, or left on, the version `id_`, which is among them."""
    moved = frozenset(stages)
    was_current = next((one.id for one in versions if CURRENT in one.stages), None)
    loses = CURRENT in moved and was_current is not None and was_current != id_

    def of(version: Version) -> frozenset[str]:
        have = frozenset(version.stages)
        if version.id == id_:
            return (have - {PREVIOUS} if loses else have) | moved
        have -= moved
        if not loses:
            return have
        return (have - {PENDING}) | {PREVIOUS} if version.id == was_current else have - {PREVIOUS}

    return tuple(msgspec.structs.replace(one, stages=tuple(sorted(of(one)))) for one in versions)


def unstaged(versions: Sequence[Version], id_: str, stage: str) -> tuple[Version, ...]:
    """`versions` with `stage` taken from the version `id_`."""
    return tuple(
        msgspec.structs.replace(one, stages=tuple(each for each in one.stages if each != stage))
        if one.id == id_
        else one
        for one in versions
    )


def kept(versions: Sequence[Version]) -> tuple[tuple[Version, ...], tuple[Version, ...]]:
    """Those that are kept, and the oldest without stages that are not, where there are too many."""
    deprecated = [one for one in versions if not one.stages]
    gone = {one.id for one in deprecated[: max(0, len(deprecated) - MOST_DEPRECATED)]}
    return (
        tuple(one for one in versions if one.id not in gone),
        tuple(one for one in versions if one.id in gone),
    )
