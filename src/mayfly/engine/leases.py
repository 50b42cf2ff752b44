"""Instances that others run calls on: lent when idle, given back when idle, called back when they are needed here.

A *borrower* (a front process) gets the ends of an instance's control socket and output pipe and speaks to it instead
of the engine. A lease counts as one call under way for as long as it lasts, whether the borrower runs anything or not,
so that what runs never exceeds a limit. For the same reason idle leases are called back before a call is refused,
waits, or gets a new instance for want of them: `placement` asks `away` and then `recall`.

The engine goes on watching over a lent instance's life: it alone kills, and it learns of the death. It then waits for
the borrower to read what the instance left before it closes anything.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from mayfly.engine.api import FailureKind, Target
from mayfly.engine.instance import Instance
from mayfly.engine.owner import Lent
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

    def died(self, lease: str, how: Exit) -> None:
        """A leased instance is dead; `Leases.buried` is expected."""


class Lender(Protocol):
    """What leases ask of the engine's books; `lending`."""

    def borrow(self, key: str) -> tuple[Instance, bool] | None:
        """Take an idle instance of a target, which counts as a call from now on; whether it is a provisioned one.

        None: there is none, or a limit does not let another call run.
        """

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
    calls: int = 0
    buried: asyncio.Event = field(default_factory=asyncio.Event)


class Leases:
    """All leases of one engine, by the id of the instance."""

    def __init__(self, lender: Lender) -> None:
        self._lender = lender
        self._loans: dict[str, _Loan] = {}

    def away(self, scope: Scope) -> bool:
        """Whether any instance of `scope` is lent."""
        return any(scope.covers(loan.instance.target) for loan in self._loans.values())

    async def recall(self, scope: Scope, *, busy: bool = False) -> None:
        """Have idle leases back, with `busy` the others as soon as may be; returns when all concerned have answered."""
        loans = self._loans.values()
        borrowers = {loan.borrower for loan in loans if scope.covers(loan.instance.target)}
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

    def give_back(self, lease: str, calls: int, leaving: str) -> None:
        """A borrower ends a lease."""
        loan = self._loans.get(lease)
        if loan is None:
            return  # it died meanwhile, or its borrower did
        loan.instance.calls += calls
        loan.calls = calls
        if leaving:
            loan.instance.retire(leaving)
        if loan.instance.take_back():
            self._end(loan)
            self._lender.returned(loan.instance)

    def condemn(self, lease: str, verdict: FailureKind) -> None:
        """A borrower has an instance ended."""
        if (loan := self._loans.get(lease)) is not None:
            loan.instance.condemn(verdict)

    def buried(self, lease: str, calls: int) -> None:
        """A borrower has read the rest of a dead instance."""
        if (loan := self._loans.get(lease)) is not None:
            loan.instance.calls += calls
            loan.calls = calls
            loan.buried.set()

    def lost(self, borrower: Borrower) -> None:
        """A borrower is no more: what its instances were doing is unknown, so they end."""
        for loan in self.of(borrower):
            loan.buried.set()
            loan.instance.end("its front process ended")

    def of(self, borrower: Borrower) -> list[_Loan]:
        return [loan for loan in self._loans.values() if loan.borrower is borrower]

    def instances(self) -> Iterable[str]:
        """The ids of all that are lent."""
        return self._loans

    # What instances tell.

    async def bury(self, instance: Instance, how: Exit) -> None:
        """A lent instance is dead: return when what it left may be closed."""
        loan = self._loans.get(instance.id)
        if loan is None:
            return
        if not loan.buried.is_set():
            loan.borrower.died(instance.id, how)
        try:
            async with asyncio.timeout(BURIAL_S):
                await loan.buried.wait()
        except TimeoutError:
            _log.warning("nobody read what the lent instance %s left", instance.id)
        self._end(loan)

    def _end(self, loan: _Loan) -> None:
        if self._loans.pop(loan.instance.id, None) is not None:
            self._lender.concluded(loan.instance, loan.calls, provisioned=loan.provisioned)
