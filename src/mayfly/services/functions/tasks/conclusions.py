"""The end of deliveries, written many at a time.

Plain successes of a batch are two statements for all of them. If any claim in a batch was lost, or anything else of it
fails, each is written alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from mayfly.services.functions.destinations import Destinations, Letter
from mayfly.services.functions.tasks import book
from mayfly.services.functions.tasks.book import Ended
from mayfly.services.functions.tasks.gathering import Gathering
from mayfly.services.functions.tasks.model import State
from mayfly.store.api import Claim, ReadyQueue, Store, Tx


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How an event ended, and what must happen with that."""

    claim: Claim
    ended: Ended
    letter: Letter | None = None  # to be handed over
    refused: str | None = None  # what was to be handed over before, and was not taken

    @property
    def plain(self) -> bool:
        """Whether nothing but rows change."""
        return self.letter is None and self.ended.state is State.SUCCEEDED


class Conclusions:
    """Writes them. Each is told who refused what it had to hand over."""

    def __init__(self, store: Store, queue: ReadyQueue, destinations: Destinations) -> None:
        self._store = store
        self._queue = queue
        self._destinations = destinations
        self._gathering: Gathering[Conclusion, list[str]] = Gathering(self._write, alone=True)

    def write(self, conclusion: Conclusion) -> "asyncio.Future[list[str]]":
        """Done once it is durable, with who refused what; `StaleClaimError`, `PlatformError`."""
        return self._gathering.add(conclusion)

    async def _write(self, batch: Sequence[Conclusion]) -> Sequence[list[str]]:
        return await self._store.write(lambda tx: self._body(tx, batch))

    def _body(self, tx: Tx, batch: Sequence[Conclusion]) -> list[list[str]]:
        plain = [one for one in batch if one.plain]
        if plain:
            self._queue.complete_all(tx, [one.claim for one in plain])
        ended, refusals = [], []
        for one in batch:
            refused: list[str] = [] if one.plain else self._hand(tx, one)
            refusals.append(refused)
            said = "; ".join((*([one.ended.reason] if one.ended.reason else ()), *refused))
            ended.append(one.ended._replace(reason=said or None))
        book.conclude(tx, ended)
        return refusals

    def _hand(self, tx: Tx, one: Conclusion) -> list[str]:
        """Hand over what there is; an event that did not succeed, or whose record nobody took, is kept."""
        refused = [] if one.refused is None else [one.refused]
        if one.letter is not None:
            refused += self._destinations.hand(tx, one.letter)
        if refused or one.ended.state is not State.SUCCEEDED:
            self._queue.bury(tx, one.claim, "; ".join((one.ended.reason or "", *refused)).removeprefix("; "))
        else:
            self._queue.complete(tx, one.claim)
        return refused
