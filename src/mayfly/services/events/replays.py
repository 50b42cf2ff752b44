"""Replays under way: events of an archive put on their bus again, in the order in which they happened.

A step is one transaction: a few events are routed, and the replay moves past them. So each is put on the bus once,
whenever a server dies; the next one goes on from there. How replays stand is in their rows, and nowhere else.
"""

import asyncio
import logging

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.events import records
from mayfly.services.events import statements as sql
from mayfly.services.events.entries import replayed
from mayfly.services.events.model import BusKey, Event, Replay, ReplayState
from mayfly.services.events.records import Owner, StoredReplay
from mayfly.services.events.router import Router
from mayfly.store.api import Store, StoreClosedError, Tx

STEP = 20  # events of one transaction
_PAUSE_S = 1.0

_log = logging.getLogger(__name__)


class Replayer:
    """Carries replays out: `run`, as a task of the service."""

    def __init__(self, store: Store, router: Router, clock: Clock) -> None:
        self._store = store
        self._router = router
        self._clock = clock
        self._tasks: dict[tuple[Owner, str], asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Carry out what the last server left, and what is begun from now on, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for owner, name in await self._store.read(records.active_replays):
                    self.begun(owner, name)
                await asyncio.Event().wait()
        finally:
            self._group = None

    def begun(self, owner: Owner, name: str) -> None:
        """A replay was begun."""
        if self._group is None or (owner, name) in self._tasks:
            return
        task = self._tasks[owner, name] = self._group.create_task(self._carry_out(owner, name), name=f"replay-{name}")
        task.add_done_callback(lambda _: self._tasks.pop((owner, name), None))

    async def _carry_out(self, owner: Owner, name: str) -> None:
        """The boundary around one replay."""
        while True:
            try:
                if not await self._store.write(lambda tx: self._step(tx, owner, name)):
                    return
            except StoreClosedError:
                return
            except PlatformError:
                _log.exception("replay %s cannot go on now; the next attempt follows", name)
                await asyncio.sleep(_PAUSE_S)
            except Exception as error:
                _log.exception("replay %s cannot be carried out", name)
                await self._give_up(owner, name, f"Internal error: {error!r}")
                return

    def _step(self, tx: Tx, owner: Owner, name: str) -> bool:
        """Put the next events on the bus; whether there may be more to do."""
        stored = records.find_replay(tx, owner, name)
        if stored is None or stored.state not in ("STARTING", "RUNNING", "CANCELLING"):
            return False
        replay = stored.replay
        if stored.state == "CANCELLING":
            self._end(tx, owner, stored, "CANCELLED")
            return False
        if not _has_archive(tx, owner, stored):
            self._end(tx, owner, stored, "FAILED", f"Archive {stored.archive} was deleted.")
            return False
        place = {
            "archive": replay.archive_serial,
            "at": replay.start if replay.last_at is None else replay.last_at,
            "id": -1 if replay.last_at is None else replay.last_id,
            "end": replay.end,
            "limit": STEP,
        }
        rows = tx.all(sql.ARCHIVED_AFTER, place)
        bus = BusKey(owner.account, owner.region, replay.bus)
        for happened_at, id_, text in rows:
            again = replayed(text, name)
            self._router.route(tx, bus, Event(msgspec.json.decode(text)["id"], happened_at, again), replay.rules)
            replay = msgspec.structs.replace(replay, last_at=happened_at, last_id=id_)
        moved = stored._replace(state="RUNNING", replay=replay)
        if len(rows) < STEP:
            self._end(tx, owner, moved, "COMPLETED")
            return False
        records.put_replay(tx, owner, moved)
        return True

    async def _give_up(self, owner: Owner, name: str, reason: str) -> None:
        """End a replay that meets an error of ours, so that it does not meet it for ever."""

        def body(tx: Tx) -> None:
            stored = records.find_replay(tx, owner, name)
            if stored is not None:
                self._end(tx, owner, stored, "FAILED", reason)

        await self._store.write(body)

    def _end(self, tx: Tx, owner: Owner, stored: StoredReplay, state: ReplayState, reason: str | None = None) -> None:
        ended: Replay = msgspec.structs.replace(stored.replay, ended_at=self._clock.now(), reason=reason)
        records.put_replay(tx, owner, stored._replace(state=state, replay=ended))


def _has_archive(tx: Tx, owner: Owner, stored: StoredReplay) -> bool:
    found = records.find_archive(tx, owner, stored.archive)
    return found is not None and found.serial == stored.replay.archive_serial
