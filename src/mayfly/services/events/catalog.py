"""Buses as they are matched against: the rules and archives of each, indexed, in memory.

A bus is read when it is first needed and kept up to date from then on: whoever changes a rule, its targets or an
archive says so with `changed` after the commit. The most recently used are kept, within a number of
buses and of rules. Matching happens in the thread that writes, changes arrive on the event loop, reading may happen in
a third one; each bus has a lock, held for as long as a match or a change takes. A bus that is read while a change is
committed may have missed it, so changes that come while a bus is read are applied to what was read; each says what a
rule *is*, so that twice does no harm.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from mayfly.ids import Arn
from mayfly.matching.errors import PatternError
from mayfly.matching.index import Index
from mayfly.matching.pattern import Pattern, compile_pattern
from mayfly.services.events import policies, records, transformation
from mayfly.services.events.model import PRINCIPAL, BusKey, Rule, Target
from mayfly.services.events.names import bus_of_arn, is_api_destination
from mayfly.services.events.policies import Denial
from mayfly.services.events.transformation import Render
from mayfly.services.ports import Source, TargetOptions
from mayfly.store.api import Reader

BUSES_IN_MEMORY = 256
RULES_IN_MEMORY = 100_000  # of all of them; some 8 KB each

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Aim:
    """A target, ready to be sent to."""

    target: Target
    render: Render | None  # None: it gets the event as it is
    bus: BusKey | None  # where it is another bus
    http: bool  # an API destination
    wants_json: bool
    options: TargetOptions


class Subscriber:
    """An enabled rule with targets."""

    __slots__ = ("_aims", "arn", "name", "targets")

    def __init__(self, name: str, arn: str, targets: tuple[Target, ...]) -> None:
        self.name = name
        self.arn = arn
        self.targets = targets
        self._aims: tuple[Aim, ...] | None = None

    @property
    def aims(self) -> tuple[Aim, ...]:
        """The targets, compiled when the first event comes: most rules of a large bus never see one."""
        if self._aims is None:
            self._aims = tuple(aim_of(target, self.arn) for target in self.targets)
        return self._aims


def aim_of(target: Target, rule_arn: str) -> Aim:
    """Compile one target of a rule, which was checked when it was put."""
    http = is_api_destination(target.arn)
    return Aim(
        target,
        transformation.rendering(target),
        None if http else bus_of_arn(target.arn),
        http,
        Arn.parse(target.arn).service == "lambda",
        TargetOptions(group_id=target.group_id, on_behalf_of=source_of(rule_arn)),
    )


def source_of(rule_arn: str) -> Source:
    """On whose behalf targets of a rule get events."""
    return Source(PRINCIPAL, rule_arn, Arn.parse(rule_arn).account)


@dataclass(frozen=True, slots=True)
class Matched:
    """Who wants an event."""

    subscribers: list[Subscriber]  # in order of their names
    archives: list[int]


class LoadedBus:
    """One bus in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._index: Index[Hashable] = Index()
        self._subscribers: dict[str, Subscriber] = {}
        self._archives: set[int] = set()
        self._denials: tuple[Denial, ...] = ()
        self.watched = False  # whether shapes of its events are written down

    def match(self, event: Mapping[str, Any]) -> Matched:
        """The enabled rules and the archives that an event is for."""
        with self._lock:
            found = self._index.match(event)
            rules = sorted(id_ for id_ in found if isinstance(id_, str))
            archives = sorted(id_ for id_ in found if isinstance(id_, int))
            return Matched([self._subscribers[name] for name in rules], archives)

    @property
    def size(self) -> int:
        """How many rules and archives it holds."""
        return len(self._subscribers) + len(self._archives)

    def is_idle(self) -> bool:
        """Whether nothing could match, whatever the event."""
        return not self._subscribers and not self._archives and not self.watched

    def watch(self, on: bool) -> None:
        """Whether shapes of its events are written down."""
        self.watched = on

    def denies(self, principal_arn: str, account: str, bus_arn: str) -> bool:
        """Whether the policy denies somebody to put events on the bus."""
        return any(denial.covers(principal_arn, account, bus_arn) for denial in self._denials)

    def set_policy(self, policy: str | None) -> None:
        """This is the resource policy now."""
        self._denials = policies.denials(policy)

    def set_rule(self, key: BusKey, rule: Rule, targets: tuple[Target, ...]) -> None:
        """This is what the rule is now."""
        pattern = _pattern(rule.pattern) if rule.enabled and targets else None
        with self._lock:
            self._forget(rule.name)
            if pattern is not None:
                self._subscribers[rule.name] = Subscriber(rule.name, key.rule_arn(rule.name), targets)
                self._index.add(rule.name, pattern)

    def drop_rule(self, name: str) -> None:
        """There is no such rule any more."""
        with self._lock:
            self._forget(name)

    def set_archive(self, serial: int, pattern: str | None) -> None:
        """An archive keeps what matches; everything without a pattern."""
        compiled = _pattern(pattern or '{"source":[{"exists":true}]}')
        with self._lock:
            self._forget_archive(serial)
            if compiled is not None:
                self._archives.add(serial)
                self._index.add(serial, compiled)

    def drop_archive(self, serial: int) -> None:
        """There is no such archive any more."""
        with self._lock:
            self._forget_archive(serial)

    def _forget(self, name: str) -> None:
        if self._subscribers.pop(name, None) is not None:
            self._index.remove(name)

    def _forget_archive(self, serial: int) -> None:
        if serial in self._archives:
            self._archives.discard(serial)
            self._index.remove(serial)


Change = Callable[[LoadedBus], None]


class Catalog:
    """The buses in memory."""

    def __init__(self, most: int = BUSES_IN_MEMORY, most_rules: int = RULES_IN_MEMORY) -> None:
        self._most = most
        self._most_rules = most_rules
        self._lock = threading.Lock()
        self._buses: OrderedDict[BusKey, LoadedBus] = OrderedDict()
        self._reading: dict[BusKey, list[list[Change | None]]] = {}

    def peek(self, key: BusKey) -> LoadedBus | None:
        """The bus if it is in memory."""
        with self._lock:
            found = self._buses.get(key)
            if found is not None:
                self._buses.move_to_end(key)
            return found

    def bus(self, reader: Reader, key: BusKey) -> LoadedBus | None:
        """The bus, read if need be; None if there is none."""
        found = self.peek(key)
        if found is not None:
            return found
        missed: list[Change | None] = []
        with self._lock:
            self._reading.setdefault(key, []).append(missed)
        loaded = None
        try:
            loaded = _read(reader, key)
        finally:
            with self._lock:
                self._settle(key, loaded, missed)
        return loaded

    def _settle(self, key: BusKey, loaded: LoadedBus | None, missed: list[Change | None]) -> None:
        """The end of a reading, in one step with what makes changes find the bus."""
        self._reading[key].remove(missed)
        if not self._reading[key]:
            del self._reading[key]
        if loaded is None or None in missed:  # deleted meanwhile: good for this caller, and not to be kept
            return
        for change in missed:
            assert change is not None
            change(loaded)
        self._buses[key] = loaded
        self._make_room()

    def _make_room(self) -> None:
        """Forget buses until few enough are left, but for the one that was used last."""
        rules = sum(bus.size for bus in self._buses.values())
        while len(self._buses) > self._most or (rules > self._most_rules and len(self._buses) > 1):
            rules -= self._buses.popitem(last=False)[1].size

    def changed(self, key: BusKey, change: Change) -> None:
        """Something about a bus is different from now on, durably."""
        with self._lock:
            for missed in self._reading.get(key, ()):
                missed.append(change)
            found = self._buses.get(key)
        if found is not None:
            change(found)
            with self._lock:
                self._make_room()

    def gone(self, key: BusKey) -> None:
        """There is no such bus any more."""
        with self._lock:
            for missed in self._reading.get(key, ()):
                missed.append(None)
            self._buses.pop(key, None)


def _read(reader: Reader, key: BusKey) -> LoadedBus | None:
    bus = records.find_bus(reader, key)
    if bus is None:
        return None
    loaded = LoadedBus()
    loaded.set_policy(bus.policy)
    loaded.watch(records.is_watched(reader, key))
    targets = records.all_targets(reader, key)
    for rule in records.all_rules(reader, key):
        loaded.set_rule(key, rule, tuple(targets.get(rule.name, ())))
    for stored in records.archives_of_bus(reader, key):
        loaded.set_archive(stored.serial, stored.archive.pattern)
    return loaded


def _pattern(text: str | None) -> Pattern | None:
    if text is None:
        return None
    try:
        return compile_pattern(text)
    except PatternError:
        # It was checked when it was put, so the grammar was wider then.
        _log.exception("a pattern cannot be used any more: %s", text)
        return None
