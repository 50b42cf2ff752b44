"""The subscriptions of topics, a page at a time, with their filters compiled; kept in memory while nothing changes.

A page is remembered by the topic's revision, so it is never stale: whoever publishes reads the revision in its own
transaction. What is kept is bounded by the number of subscriptions in all pages, the least used going first.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from mayfly.services.topics import catalog, subscription_attributes
from mayfly.services.topics.filters import Policies, Seen, Wants
from mayfly.services.topics.model import Subscription
from mayfly.store.api import Reader

PAGE = 250
MOST_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Planned:
    """A confirmed subscription that messages go to."""

    subscription: Subscription
    dead_letters: str | None  # the ARN of a queue


@dataclass(frozen=True, slots=True)
class Page:
    """Some subscriptions of a topic, in their order; `last` is None at the end. Asked by the writer's thread alone."""

    planned: tuple[Planned, ...]
    last: int | None
    signed: bool  # something in it gets a document that is signed
    wants: Wants

    def wanted(self, seen: Seen) -> list[Planned]:
        """Those that get a message."""
        return [self.planned[at] for at in self.wants.by(seen)]


class Plans:
    """Pages of all topics, read and asked by the writer's thread; the event loop glances at them."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._policies = Policies()
        self._pages: OrderedDict[tuple[int, int], tuple[int, Page]] = OrderedDict()  # by topic and what was before
        self._kept = 0
        self._lock = Lock()

    def page(self, reader: Reader, topic_id: int, revision: int, after: int = 0) -> Page:
        """The page that follows subscription `after`."""
        key = (topic_id, after)
        with self._lock:
            found = self._pages.get(key)
            if found is not None and found[0] == revision:
                self._pages.move_to_end(key)
                return found[1]
        page = _read(reader, self._policies, topic_id, after)
        with self._lock:
            self._drop(key)
            self._pages[key] = (revision, page)
            self._kept += _weight(page)
            while self._kept > self._most and len(self._pages) > 1:
                self._drop(next(iter(self._pages)))
        return page

    def glance(self, topic_id: int) -> Page | None:
        """The first page as it was when last used, to get ready for it; it may have changed since."""
        with self._lock:
            found = self._pages.get((topic_id, 0))
        return None if found is None else found[1]

    def _drop(self, key: tuple[int, int]) -> None:
        dropped = self._pages.pop(key, None)
        if dropped is not None:
            self._kept -= _weight(dropped[1])


def _weight(page: Page) -> int:
    return len(page.planned) + 1


def _read(reader: Reader, policies: Policies, topic_id: int, after: int) -> Page:
    found = catalog.subscriptions(reader, topic_id, after, PAGE + 1)
    confirmed = [one for one in found[:PAGE] if one.confirmed]
    planned = tuple(Planned(one, subscription_attributes.dead_letters(one.attributes)) for one in confirmed)
    last = found[PAGE - 1].id if len(found) > PAGE else None
    return Page(planned, last, any(not one.raw for one in confirmed), Wants(confirmed, policies))
