"""Walking over sorted keys: pages, prefixes, delimiters, common prefixes. Pure but for the `fetch` it is given.

Keys sort by their UTF-8 bytes, which is the order of their code points, so Python's comparison agrees with the
database's. A group of keys that rolls up into one common prefix is not read: the walk jumps behind it. A page of 1,000
common prefixes costs at most 1,000 short index seeks, however many keys lie below them.

An entry (a key, or a common prefix) belongs to a listing when it sorts behind the marker. This is what makes a common
prefix usable as the next page's marker.
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar


class Keyed(Protocol):
    """What can be listed."""

    @property
    def key(self) -> str: ...


K = TypeVar("K", bound=Keyed)

_SHORT: Final = 16  # rows to read behind a jump, before it is known whether they roll up again


class Position(NamedTuple):
    """Where a listing goes on: at `key`, and there only with ids behind `after` (objects have none)."""

    key: str
    after: str = ""


class Page(NamedTuple, Generic[K]):
    """Entries in order, common prefixes as strings."""

    entries: list[K | str]
    truncated: bool

    @property
    def items(self) -> list[K]:
        return [entry for entry in self.entries if not isinstance(entry, str)]

    @property
    def prefixes(self) -> list[str]:
        return [entry for entry in self.entries if isinstance(entry, str)]


class Query(NamedTuple):
    """What to list. `start` is where the first entry may be, from `first_position`."""

    prefix: str
    delimiter: str
    start: Position | None  # None: nothing can follow
    limit: int


def walk(
    fetch: Callable[[Position, str | None, int], Sequence[K]],
    query: Query,
    following: Callable[[K], Position],
) -> Page[K]:
    """One page. `fetch(position, stop, count)` reads rows in order; `following(row)` is the position behind a row."""
    page: Page[K] = Page([], False)
    position = query.start
    if query.limit == 0:
        return page
    stop = behind(query.prefix)
    count = query.limit + 1
    while position is not None:
        rows = fetch(position, stop, count)
        seen = 0
        for row in rows:
            if position is None or row.key < position.key:
                continue  # rolled up into the common prefix that was just listed
            if len(page.entries) == query.limit:
                return Page(page.entries, True)
            seen += 1
            common = common_prefix(row.key, query.prefix, query.delimiter)
            if common is None:
                page.entries.append(row)
                position = following(row)
            else:
                page.entries.append(common)
                jump = behind(common)
                position = None if jump is None else Position(jump)
        if len(rows) < count:
            break
        left = query.limit - len(page.entries) + 1
        count = min(left, _SHORT) if seen * 2 < len(rows) else min(left, max(_SHORT, count * 4))
    return page


def first_position(prefix: str, delimiter: str, marker: str, marker_id: str | None = None) -> Position | None:
    """Where entries behind `marker` begin. With `marker_id`, uploads of the marker's key behind that one count too."""
    if marker < prefix or not marker:
        return Position(prefix)
    common = common_prefix(marker, prefix, delimiter)
    if common is not None:
        jump = behind(common)
        return None if jump is None else Position(jump)
    return Position(marker + "\0") if marker_id is None else Position(marker, marker_id)


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that `key` rolls up into, or None."""
    if not delimiter or not key.startswith(prefix):
        return None
    place = key.find(delimiter, len(prefix))
    return None if place < 0 else key[: place + len(delimiter)]


def behind(prefix: str) -> str | None:
    """The least string above every string that begins with `prefix`; None when there is no such string."""
    for place in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[place])
        if code < 0x10FFFF:
            # Surrogates are no characters of UTF-8.
            return prefix[:place] + chr(0xE000 if code == 0xD7FF else code + 1)
    return None
