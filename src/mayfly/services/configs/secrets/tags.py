"""Tags of a secret. Pure."""

from collections.abc import Iterable, Mapping

from mayfly.services.configs.secrets import faults

MOST = 50


def changed(before: Mapping[str, str], given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """`before` with the tags that are given; `ServiceError` where those are too many."""
    tags = dict(before)
    for tag in given:
        key = tag.get("Key", "")
        if not key:
            raise faults.invalid_parameter("Tag keys have at least one character.")
        tags[key] = tag.get("Value", "")
    if len(tags) > MOST:
        raise faults.invalid_parameter(f"A secret can have at most {MOST} tags.")
    return tags
