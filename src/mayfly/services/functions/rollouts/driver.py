"""Carries rollouts on, one look after the other, until they have ended.

A rollout under way has one item in the ready queue. A look claims it, reads what there is to know, lets `progress`
decide, and writes the rollout, the alias and the time of the next look in one commit. So whoever dies in between, the
alias and the rollout always say the same, and the next server goes on where the last one was.
"""

import asyncio
import logging
from typing import Final

from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.services.functions.names import Home
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.rollouts import moving, progress, repository, watching
from mayfly.services.functions.rollouts.hooks import Hooks
from mayfly.services.functions.rollouts.model import Rollout
from mayfly.services.functions.rollouts.moving import Mover
from mayfly.services.functions.rollouts.notices import Notices
from mayfly.services.functions.rollouts.progress import Known, Turn
from mayfly.services.ports import AlarmStates, CallLedger
from mayfly.store.api import Claim, NewItem, ReadyQueue, StaleClaimError, Store, StoreClosedError, Tx

QUEUE: Final = "functions.rollouts"
LEASE_S: Final = 30.0
_AT_ONCE: Final = 16
_IDLE_S: Final = 60.0
_PAUSE_S: Final = 1.0
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

_log = logging.getLogger(__name__)


def new_id() -> str:
    """In the form of CodeDeploy: `d-ABCDEF123`."""
    return f"d-{ids.token(9, _ALPHABET)}"


class Driver:
    """`run`, as a task of the feature."""

    def __init__(self, parts: Parts) -> None:
        self._store: Store = parts.store
        self._queue: ReadyQueue = parts.queue
        self._clock: Clock = parts.clock
        self._home: Home = parts.home
        self._alarms: AlarmStates = parts.outside.alarms
        self._ledger: CallLedger = parts.outside.ledger
        self._mover = Mover(parts.stock.catalog, parts.stock.provisioner)
        self._notices = Notices(parts.home, parts.outside.targets, parts.outside.events)
        self._hooks = Hooks(parts.home, parts.stock.catalog, parts.calls, self._hook_failed)

    def begin(self, tx: Tx, rollout: Rollout) -> None:
        """Let a rollout begin with the caller's transaction."""
        repository.insert(tx, rollout)
        self._queue.enqueue(tx, [NewItem(QUEUE, rollout.id.encode())])
        self._notices.changed(tx, None, rollout)

    async def run(self) -> None:
        """Look at rollouts when they are due, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    claims = await self._queue.claim(QUEUE, _AT_ONCE, LEASE_S)
                    if claims:
                        await self._ledger.settle()
                    for claim in claims:
                        await self._look(claim, tasks)
                    if not claims:
                        await self._queue.wait(QUEUE, _IDLE_S)
                except StoreClosedError:
                    return
                except PlatformError:
                    _log.exception("rollouts cannot be carried on now; the next attempt follows in %.0f s", _PAUSE_S)
                    await asyncio.sleep(_PAUSE_S)

    async def _look(self, claim: Claim, tasks: asyncio.TaskGroup) -> None:
        """The boundary around one look: whatever goes wrong, the rollout is looked at again when its lease runs out."""
        try:
            rollout = await self._store.write(lambda tx: self._carry_on(tx, claim))
        except (StaleClaimError, StoreClosedError) as error:
            _log.info("a look at a rollout was not recorded, another follows: %s", error)
            return
        except Exception:
            _log.exception("a rollout could not be looked at; another look follows")
            return
        if rollout is None:
            return
        if rollout.under_way:
            self._hooks.begin(tasks, rollout)
        else:
            self._hooks.forget(rollout)
            _log.info("rollout %s of %s: %s %s", rollout.id, rollout.qualified, rollout.status, rollout.error_message)

    def _carry_on(self, tx: Tx, claim: Claim) -> Rollout | None:
        before = repository.find(tx, claim.payload.decode())
        if before is None or not before.under_way:
            self._queue.complete(tx, claim)
            return before
        watched = self._watched(tx, before)
        firing = self._firing(tx, before)
        known = Known(self._clock.now(), firing, moving.obstacle(tx, before, self._home))
        turn = progress.advance(watched, known, ids.token(40))
        after = self._moved(tx, watched, turn)
        if after.shifted_at is not None and after.watched is None:
            after = replace(after, watched=watching.begin(tx, self._ledger))
        repository.update(tx, after)
        self._notices.changed(tx, before, after)
        if after.under_way:
            self._queue.retry(tx, claim, known.now + progress.LOOK_EVERY_S)
        else:
            self._queue.complete(tx, claim)
        return after

    def _watched(self, tx: Tx, rollout: Rollout) -> Rollout:
        """With the calls of the new version that were recorded since the last look."""
        if rollout.watched is None:
            return rollout
        arn = self._home.arn(rollout.function, rollout.new)
        watched = watching.read_on(tx, self._ledger, rollout.watched, arn)
        return replace(rollout, watched=watched, seen=watching.observed(watched))

    def _firing(self, tx: Tx, rollout: Rollout) -> list[str]:
        """Alarms that are going off, and those that are not there."""
        care = rollout.care
        if not care.alarms_enabled or not care.alarms:
            return []
        states = self._alarms.states(tx, care.alarms)
        firing = [name for name in care.alarms if states.get(name) == "ALARM"]
        missing = [] if care.ignore_poll_failure else [name for name in care.alarms if name not in states]
        return firing + [f"{name} (there is no such alarm)" for name in missing]

    def _moved(self, tx: Tx, before: Rollout, turn: Turn) -> Rollout:
        """Bring the alias where the rollout says that it is; the rollout, with what took it back."""
        after = turn.rollout
        if not turn.back:
            if after.share != before.share:
                self._mover.move(tx, after, after.share)
            return after
        if before.share == 0.0:
            return after  # nothing to take back
        self._mover.move(tx, after, 0.0)
        back = self._rollback(after)
        repository.insert(tx, back)
        self._notices.changed(tx, None, back)
        message = f"Deployment {after.id} was rolled back by {back.id}: {after.error_message}"
        return replace(after, share=0.0, rolled_back_by=back.id, rollback_message=message)

    def _rollback(self, rollout: Rollout) -> Rollout:
        """The deployment that stands for taking another one back: done as soon as it is there."""
        now = self._clock.now()
        return Rollout(
            id=new_id(),
            application=rollout.application,
            group=rollout.group,
            config=rollout.config,
            function=rollout.function,
            alias=rollout.alias,
            old=rollout.new,
            new=rollout.old,
            created_at=now,
            revision=rollout.revision,
            care=rollout.care,
            creator="codeDeployRollback",
            status="Succeeded",
            phase="AfterAllowTraffic",
            started_at=now,
            shifted_at=now,
            arrived_at=now,
            completed_at=now,
            share=1.0,
            takes_back=rollout.id,
            rollback_message=f"Rolls back deployment {rollout.id}: {rollout.error_message}",
        )

    async def _hook_failed(self, rollout_id: str, execution_id: str, why: str) -> None:
        """A hook that failed without a report has decided too."""

        def body(tx: Tx) -> None:
            rollout = repository.find(tx, rollout_id)
            if rollout is not None and (
                found := hook_reported(rollout, execution_id, "Failed", self._clock.now(), why)
            ):
                repository.update(tx, found)

        await self._store.write(body)


def hook_reported(rollout: Rollout, execution_id: str, status: str, now: float, why: str = "") -> Rollout | None:
    """The rollout with what a hook decided; None unless it waits for that hook."""
    for name in ("before", "after"):
        hook = getattr(rollout, name)
        if hook is not None and hook.execution_id == execution_id and hook.status == "InProgress":
            return replace(rollout, **{name: replace(hook, status=status, ended_at=now, message=why)})
    return None
