"""The core's side of one front: answers its questions, runs the calls that it cannot, and takes its connections.

What a front knows is what it was told here, and every change is told it before the change is acknowledged: `revoke` is
settled when the front has forgotten. One that does not answer in time is as good as dead, and is ended.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from mayfly.engine.api import FailureKind
from mayfly.engine.leases import Leases, Scope
from mayfly.errors import MayflyError
from mayfly.front import messages
from mayfly.front.entries import entry_message
from mayfly.front.link import Link, Questions
from mayfly.front.refusals import refusal
from mayfly.sandbox.api import Exit
from mayfly.services.functions.catalog import Catalog, Entry
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.log_streams import Streams
from mayfly.services.ports import KeySource
from mayfly.store.journal_follow import FollowedJournal

# How long a front may take to carry out what the core tells it; usual is less than a millisecond.
ANSWER_S = 5.0
# A front whose records are so far ahead of the database gets no leases until that has caught up: its calls run here.
MOST_BEHIND_BYTES = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Core:
    """What the core has for its fronts."""

    leases: Leases
    catalog: Catalog
    keys: KeySource
    calls: Invoker
    streams: Streams
    counted: Callable[[int], None]  # told of calls that fronts ran
    adopt: Callable[[int, bytes], None]  # takes a connection


class Desk:
    """One front, from its first word to its last; a `leases.Borrower`."""

    def __init__(self, core: Core, journal: FollowedJournal) -> None:
        """`journal` is what the front writes."""
        self._core = core
        self._journal = journal
        self._on_end: Callable[[], None] = lambda: None
        self.started = asyncio.Event()
        self._orders = Questions()
        self._work: set[asyncio.Task[None]] = set()
        self._link: Link[Any] | None = None
        self.under_way = 0
        self.ready = False

    def attach(self, link: "Link[Any]", on_end: Callable[[], None]) -> None:
        """Speak over `link` from now on; `on_end` is called when that is broken off from here."""
        self._link = link
        self._on_end = on_end

    @property
    def alive(self) -> bool:
        return self._link is not None and not self._link.lost

    def send(self, message: object, descriptors: tuple[int, ...] = (), *, close: bool = False) -> None:
        assert self._link is not None
        self._link.send(message, descriptors, close=close)

    # What the core wants of it.

    async def order(self, make: Callable[[int], object]) -> bool:
        """Send what `make` makes of a number and wait until it is carried out; False when it was not, in time.

        True too when the front is gone: it knows nothing any more.
        """
        if not self.alive:
            return True
        number, done = self._orders.new()
        self.send(make(number))
        try:
            async with asyncio.timeout(ANSWER_S):
                await done
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True

    async def recall(self, scope: Scope, *, busy: bool) -> None:
        """See `leases.Borrower`."""
        if not await self.order(lambda number: messages.Recall(number, scope.key, scope.function, busy)):
            self.end("it did not give back what it was lent")

    def died(self, lease: str, how: Exit, verdict: FailureKind | None) -> None:
        """See `leases.Borrower`."""
        self.send(messages.Died(lease, how, verdict))

    def end(self, why: str) -> None:
        """Break off: the front ends when it notices, and `supervisor` sees to it that it does."""
        if self.alive:
            _log.error("a front process is given up: %s", why)
            self.close()
            self._on_end()

    def close(self) -> None:
        """Say and hear nothing more."""
        self.ready = False
        if self._link is not None:
            self._link.close()

    def lost(self) -> None:
        """The front is no more."""
        self.ready = False
        self.under_way = 0
        self._orders.fail(ConnectionError("the front ended"))
        self._core.leases.lost(self)

    # What it says.

    def heard(self, message: Any, descriptors: list[int]) -> None:
        """One message."""
        match message:
            case messages.Settled(number=number):
                self._orders.answer(number, None)
            case messages.AskLease(number=number):
                self._do(self._lend(message), lambda refused: messages.Leased(number))
            case messages.GiveBack(lease=lease, calls=calls, leaving=leaving):
                self._core.leases.give_back(lease, calls, leaving)
            case messages.GiveBackPlaces(lease=lease, places=places):
                self._core.leases.give_back_places(lease, places)
            case messages.Counted(calls=calls, under_way=under_way):
                self.under_way = under_way
                if calls:
                    self._core.counted(calls)
                    self._journal.noticed()
            case messages.Moved(data=data):
                self._core.adopt(descriptors.pop(), data)
            case messages.Run(number=number):
                self._do(self._run(message), lambda refused: messages.Ran(number, refusal=refused))
            case messages.AskEntry(number=number):
                self._do(self._entry(message), lambda refused: messages.Entry(number, refusal=refused))
            case messages.AskKey(number=number):
                self._do(self._key(message), lambda refused: messages.Key(number, refusal=refused))
            case messages.Condemn(lease=lease, verdict=verdict):
                self._core.leases.condemn(lease, verdict)
            case messages.Buried(lease=lease, calls=calls):
                self._core.leases.buried(lease, calls)
            case messages.Ready():
                self.ready = True
                self.started.set()

    def _do(self, work: Coroutine[Any, Any, None], refuse: Callable[[messages.Refusal], object]) -> None:
        """Have a question answered, by what `refuse` makes of an error where there is one."""
        task = asyncio.get_running_loop().create_task(self._answer(work, refuse))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _answer(self, work: Coroutine[Any, Any, None], refuse: Callable[[messages.Refusal], object]) -> None:
        try:
            await work
        except MayflyError as error:
            self.send(refuse(refusal(error)))
        except Exception as error:
            _log.exception("a front's question failed")
            self.send(refuse(refusal(error)))

    async def _lend(self, asked: messages.AskLease) -> None:
        if self._journal.backlog > MOST_BEHIND_BYTES:
            self.send(messages.Leased(asked.number))
            return
        if asked.places:
            await self._lend_places(asked)
            return
        lent = await self._core.leases.lend(asked.key, self)
        if lent is None:
            self.send(messages.Leased(asked.number))
            return
        if not self.alive:
            self._core.leases.lost(self)
            return
        assert isinstance(lent.target, FunctionTarget)
        stream = self._core.streams.of(lent.instance, lent.target.version, lent.target.log_owner)
        descriptors = (lent.control, lent.output) + ((lent.peak,) if lent.peak is not None else ())
        term_s = self._core.leases.term_s
        self.send(
            messages.Leased(asked.number, lent.instance, lent.instance, stream, lent.idle_since, term_s), descriptors
        )

    async def _lend_places(self, asked: messages.AskLease) -> None:
        lent = await self._core.leases.lend_places(asked.key, asked.places, self)
        if lent is None:
            self.send(messages.Leased(asked.number))
            return
        assert isinstance(lent.target, FunctionTarget)
        stream = self._core.streams.of(lent.instance, lent.target.version, lent.target.log_owner)
        answer = messages.Leased(asked.number, lent.lease, lent.instance, stream, term_s=math.inf, places=lent.places)
        if lent.end is None:
            self.send(answer)
            return
        with lent.end:
            if self.alive:
                self.send(answer, (lent.end.fileno(),) + ((lent.peak,) if lent.peak is not None else ()))
            else:
                self._core.leases.lost(self)

    async def _entry(self, asked: messages.AskEntry) -> None:
        entry: Entry | None
        if asked.url_id is not None:
            entry = await self._core.catalog.by_url(asked.url_id)
        else:
            entry = await self._core.catalog.get(asked.name, asked.qualifier)
        self.send(messages.Entry(asked.number) if entry is None else entry_message(asked.number, entry))

    async def _key(self, asked: messages.AskKey) -> None:
        key = await self._core.keys.find(asked.access_key_id, asked.session_token)
        self.send(messages.Key(asked.number, key.secret_access_key, key.principal, key.expires_at))

    async def _run(self, asked: messages.Run) -> None:
        entry = await self._core.catalog.get(asked.name, asked.qualifier)
        ran = await self._core.calls.invoke(entry, asked.asked)
        result = ran.result
        self.send(
            messages.Ran(
                asked.number,
                result.payload,
                result.failed,
                ran.tail,
                ran.version,
                failure=ran.failure,
                trace_id=ran.trace_id,
                durable_arn=ran.durable_arn,
            )
        )
