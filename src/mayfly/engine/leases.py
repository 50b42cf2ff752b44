"""Instances that others run calls on: lent when idle, given back when idle, called back when they are needed here.

A *borrower* (a front process) gets the ends of an instance's control socket and output pipe and speaks to it instead
of the engine. A lease counts as one call under way for as long as it lasts, whether the borrower runs anything or not,
so that what runs never exceeds a limit. For the same reason idle leases are called back before a call is refused,
waits, or gets a new instance for want of them: `placement` asks `away` and then `recall`.

Of an instance that runs several calls at a time, *places* are lent: each counts as one call under way. Several
borrowers and the engine itself may have places on the same instance. Such a lease has no term; it grows, and shrinks by
what is not used.

The engine goes on watching over a lent instance's life: it alone kills, and it learns of the death. It then waits for
the borrower to read what the instance left before it closes anything.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from mayfly.engine.api import FailureKind, Target
from mayfly.engine.instance import Instance
from mayfly.engine.owner import Lent, LentPlaces
from mayfly.policy import leasing
from mayfly.sandbox.api import Exit

# How long a borrower may take to read the rest of a dead instance. It is killed if it does not answer at all.
BURIAL_S = 3.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which leases: of one target, of one function, or all."""

    key: str | None = None
    function: str | None = None

    def covers(self, target: Target) -> bool:
        return self.key in (None, target.key) and self.function in (None, target.function)


class Borrower(Protocol):
    """Who borrows instances. Called on the loop; must not raise."""

    async def recall(self, scope: Scope, *, busy: bool) -> None:
        """Give back the idle leases of `scope`; returns when that is done, also when the borrower is no more.

        With `busy` the others too, each after the call that it runs, which is not waited for.
        """

    def died(self, lease: str, how: Exit, verdict: FailureKind | None) -> None:
        """A leased instance is dead; `Leases.buried` is expected unless what was leased were places."""


class Lender(Protocol):
    """What leases ask of the engine's books; `lending`."""

    def borrow(self, key: str) -> tuple[Instance, bool] | None:
        """Take an idle instance of a target, which counts as a call from now on; whether it is a provisioned one.

        None: there is none, or a limit does not let another call run.
        """

    def places(self, key: str, wanted: int, mine: Collection[Instance]) -> tuple[Instance, int, bool] | None:
        """Take up to `wanted` places on an instance of a target, one of `mine` if it can be: each counts as a call from
        now on. Whether the first one is provisioned.

        None: there are none, or a limit does not let another call run.
        """

    def noted(self, instance: Instance) -> None:
        """Places of it are lent."""

    def gave_back(self, instance: Instance, places: int) -> None:
        """So many places count no longer; none of them provisioned."""

    def outworn(self, instance: Instance) -> bool:
        """Whether it has to go for its age."""

    def concluded(self, instance: Instance, calls: int, *, provisioned: bool) -> None:
        """It counts no longer; so many calls ended on it."""

    def returned(self, instance: Instance) -> None:
        """It is idle again."""

    @property
    def pressed(self) -> bool:
        """Whether calls wait for memory."""


@dataclass(slots=True, eq=False)
class _Loan:
    instance: Instance
    borrower: Borrower
    provisioned: bool
    places: int = 0  # 0: the whole instance
    share: int = 0  # its number, where it is one
    leaving: bool = False  # called back, or stuck: it grows no more
    opened: asyncio.Event = field(default_factory=asyncio.Event)  # where it is a share: it is there, or not to be had
    look: asyncio.TimerHandle | None = None  # whether the instance has to go
    calls: int = 0
    buried: asyncio.Event = field(default_factory=asyncio.Event)


class Leases:
    """All leases of one engine: by the id of the instance, and the number of the share where it is one."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._loans: dict[str, _Loan] = {}
        self._called_back: asyncio.Task[None] | None = None  # places of an instance that is too old

    def away(self, scope: Scope) -> bool:
        """Whether any instance of `scope` is lent."""
        return any(scope.covers(loan.instance.target) for loan in self._loans.values())

    async def recall(self, scope: Scope, *, busy: bool = False) -> None:
        """Have idle leases back, with `busy` the others as soon as may be; returns when all concerned have answered."""
        loans = [loan for loan in self._loans.values() if scope.covers(loan.instance.target)]
        borrowers = {loan.borrower for loan in loans}
        for loan in loans:
            loan.leaving = loan.leaving or busy
        await asyncio.gather(*(borrower.recall(scope, busy=busy) for borrower in borrowers))

    @property
    def term_s(self) -> float:
        """How long a lease that is given now may last."""
        return leasing.term_s(pressed=self._lender.pressed)

    # Borrowing.

    async def lend(self, key: str, borrower: Borrower) -> Lent | None:
        """An idle instance of the target, its descriptors still the engine's; None: there is none to be had."""
        found = self._lender.borrow(key)
        if found is None and any(
            loan.borrower is not borrower and loan.instance.target.key == key for loan in self._loans.values()
        ):
            await self.recall(Scope(key=key))
            found = self._lender.borrow(key)
        if found is None:
            return None
        instance, provisioned = found
        lent = instance.lend(self)
        self._loans[instance.id] = _Loan(instance, borrower, provisioned)
        return lent

    async def lend_places(self, key: str, wanted: int, borrower: Borrower) -> LentPlaces | None:
        """Up to so many places on an instance of the target; None: there are none to be had."""
        found = self._places(key, wanted, borrower)
        if found is None and any(
            loan.borrower is not borrower and loan.instance.target.key == key for loan in self._loans.values()
        ):
            await self.recall(Scope(key=key))
            found = self._places(key, wanted, borrower)
        if found is None:
            return None
        instance, places, provisioned = found
        for lease, loan in self._loans.items():
            if loan.borrower is borrower and loan.instance is instance and loan.opened.is_set() and not loan.leaving:
                loan.places += places
                instance.shares.grow(loan.share, places)
                return LentPlaces(lease, instance.id, instance.target, places, None, None)
        number = instance.share(places, self)
        self._lender.noted(instance)
        lease = f"{instance.id}#{number}"
        loan = self._loans[lease] = _Loan(instance, borrower, provisioned, places, number)
        ends = await instance.connect(number)
        loan.opened.set()
        if lease not in self._loans or ends is None:
            if ends is not None:
                ends[0].close()
            self._end(loan)
            return None
        loan.look = asyncio.get_running_loop().call_later(leasing.TERM_S, self._look, loan)
        return LentPlaces(lease, instance.id, instance.target, places, *ends)

    def _places(self, key: str, wanted: int, borrower: Borrower) -> tuple[Instance, int, bool] | None:
        mine = {loan.instance for loan in self._loans.values() if loan.borrower is borrower and loan.opened.is_set()}
        return self._lender.places(key, wanted, mine)

    def _look(self, loan: _Loan) -> None:
        """An instance of which others have places all the time is never idle: see that it goes when it is too old."""
        loan.look = asyncio.get_running_loop().call_later(leasing.TERM_S, self._look, loan)
        if self._lender.outworn(loan.instance) and not loan.leaving:
            loan.instance.retire("too old")
            loan.leaving = True
            self._called_back = asyncio.create_task(
                loan.borrower.recall(Scope(key=loan.instance.target.key), busy=True), name="recall places"
            )

    def give_back_places(self, lease: str, places: int) -> None:
        """A borrower does not need so many places of a share any more."""
        loan = self._loans.get(lease)
        if loan is not None and 0 < places < loan.places:
            loan.places -= places
            self._lender.gave_back(loan.instance, places)
            loan.instance.give_back_places(loan.share, places)

    def give_back(self, lease: str, calls: int, leaving: str) -> None:
        """A borrower ends a lease."""
        loan = self._loans.get(lease)
        if loan is None:
            return  # it died meanwhile, or its borrower did
        loan.instance.calls += calls
        loan.calls = calls
        if leaving:
            loan.instance.retire(leaving)
        if loan.share:
            self._end(loan)
            return
        if loan.instance.take_back():
            self._end(loan)
            self._lender.returned(loan.instance)

    def condemn(self, lease: str, verdict: FailureKind) -> None:
        """A borrower has an instance ended."""
        loan = self._loans.get(lease)
        if loan is None:
            return
        if loan.share and verdict == "timeout":
            loan.leaving = True
            loan.instance.stuck(loan.share)
        else:
            loan.instance.condemn(verdict)

    def buried(self, lease: str, calls: int) -> None:
        """A borrower has read the rest of a dead instance."""
        if (loan := self._loans.get(lease)) is not None:
            loan.instance.calls += calls
            loan.calls = calls
            loan.buried.set()

    def lost(self, borrower: Borrower) -> None:
        """A borrower is no more: what its instances were doing is unknown, so they end.

        Calls on places that it had are cancelled by the runtime, which sees the socket close.
        """
        for loan in self.of(borrower):
            loan.buried.set()
            if not loan.share:
                loan.instance.end("its front process ended")
            elif loan.instance.abandon_share(loan.share):
                self._end(loan)

    def of(self, borrower: Borrower) -> list[_Loan]:
        return [loan for loan in self._loans.values() if loan.borrower is borrower]

    def instances(self) -> Iterable[str]:
        """The ids of all that are lent, or of which places are."""
        return {loan.instance.id for loan in self._loans.values()}

    # What instances tell.

    async def bury(self, instance: Instance, how: Exit) -> None:
        """A lent instance is dead: return when what it left may be closed."""
        for share in [loan for loan in self._loans.values() if loan.instance is instance and loan.share]:
            if not share.buried.is_set() and share.opened.is_set():
                share.borrower.died(f"{instance.id}#{share.share}", how, instance.verdict)
            self._end(share)
        loan = self._loans.get(instance.id)
        if loan is None:
            return
        if not loan.buried.is_set():
            loan.borrower.died(instance.id, how, None)
        try:
            async with asyncio.timeout(BURIAL_S):
                await loan.buried.wait()
        except TimeoutError:
            _log.warning("nobody read what the lent instance %s left", instance.id)
        self._end(loan)

    def freed(self, instance: Instance, number: int) -> None:
        if (loan := self._loans.get(f"{instance.id}#{number}")) is not None:
            self._end(loan)

    def _end(self, loan: _Loan) -> None:
        lease = f"{loan.instance.id}#{loan.share}" if loan.share else loan.instance.id
        if self._loans.pop(lease, None) is None:
            return
        if loan.look is not None:
            loan.look.cancel()
        if loan.places:
            self._lender.gave_back(loan.instance, loan.places - 1)
        self._lender.concluded(loan.instance, loan.calls, provisioned=loan.provisioned)
        if loan.share:
            loan.instance.unshare(loan.share)
