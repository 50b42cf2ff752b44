"""Pages of lists: tokens that say where to go on, and filters that do not make pages short. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from mayfly.services import page_tokens
from mayfly.services.events.errors import bad_token

MOST = 100

T = TypeVar("T")


def after(request: Mapping[str, Any]) -> str:
    """The name after which the page of a request begins; ValidationException."""
    return page_tokens.after(request.get("NextToken"), bad_token)


def limit(request: Mapping[str, Any]) -> int:
    """How many fit on the page."""
    most: int = request.get("Limit", MOST)
    return most


def cut(found: Sequence[T], most: int, name: Callable[[T], str]) -> tuple[list[T], dict[str, str]]:
    """The page out of `most` + 1 or fewer things, and the member that says that there are more."""
    if len(found) <= most:
        return list(found), {}
    return list(found[:most]), {"NextToken": page_tokens.encode(name(found[most - 1]))}


def filtered(
    read: Callable[[str, int], Sequence[T]], keep: Callable[[T], bool], name: Callable[[T], str], start: str, most: int
) -> list[T]:
    """The first `most` + 1 things after `start` that `keep` keeps. `read` gives up to its second argument + 1."""
    kept: list[T] = []
    while True:
        found = read(start, MOST)
        for one in found:
            if keep(one):
                kept.append(one)
                if len(kept) > most:
                    return kept
        if len(found) <= MOST:
            return kept
        start = name(found[-1])
