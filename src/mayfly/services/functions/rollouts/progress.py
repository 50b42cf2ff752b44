"""What a look at a rollout makes of it. Pure: the rollout, the time and what is known in, the rollout as it goes on.

    Created ─→ BeforeAllowTraffic ─→ AllowTraffic ─→ AfterAllowTraffic ─→ Succeeded
                       │                   │                 │
                       └───────────────────┴─────────────────┴─→ Failed or Stopped, with the calls back where they were

The hooks decide before and after; in between `policy.rollouts` does. Alarms and the figures of the new version are
looked at until the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from msgspec.structs import replace

from mayfly.policy import rollouts as policy
from mayfly.policy.rollouts import Arrived, GoBack, Shift
from mayfly.services.functions.rollouts.model import Hook, RollbackEvent, Rollout

LOOK_EVERY_S: Final = 1.0
HOOK_S: Final = 3600.0  # within which a hook reports
STOPPED: Final = "The deployment was stopped by a user request."


class Turn(NamedTuple):
    """A rollout after a look."""

    rollout: Rollout
    back: bool = False  # the calls go back to the old version


@dataclass(frozen=True, slots=True)
class Known:
    """What a look found outside of the rollout itself."""

    now: float
    alarms: Sequence[str] = ()  # in the state ALARM, or not to be found
    obstacle: str | None = None  # why the alias cannot be shifted any more: it is gone, or somebody else moved it


def advance(rollout: Rollout, known: Known, execution_id: str) -> Turn:
    """The rollout after a look. `execution_id` is for a hook that begins now."""
    if known.obstacle is not None:
        return Turn(_ended(rollout, known, "Failed", "INVALID_LAMBDA_CONFIGURATION", known.obstacle))
    if rollout.stop is not None:
        return _stopped(rollout, known)
    if rollout.status == "Created":
        rollout = replace(rollout, status="InProgress", started_at=known.now)
        rollout = replace(rollout, before=_begun(rollout.before, known, execution_id))
    if rollout.phase == "BeforeAllowTraffic":
        if (refused := _hook_failed(rollout, "BeforeAllowTraffic", rollout.before, known)) is not None:
            return refused
        if not _passed(rollout.before):
            return Turn(rollout)
        rollout = replace(rollout, phase="AllowTraffic", shifted_at=known.now)
    if rollout.phase == "AllowTraffic":
        return _shifting(rollout, known, execution_id)
    return _after(rollout, known)


def _shifting(rollout: Rollout, known: Known, execution_id: str) -> Turn:
    assert rollout.shifted_at is not None, "the phase begins with it"
    elapsed_s = known.now - rollout.shifted_at
    decision = policy.decide(rollout.shape, rollout.limits, rollout.share, elapsed_s, rollout.seen, known.alarms)
    if isinstance(decision, GoBack):
        return _thrown_out(rollout, known, decision)
    if isinstance(decision, Shift):
        return Turn(replace(rollout, share=decision.share))
    if isinstance(decision, Arrived):
        after = _begun(rollout.after, known, execution_id)
        rollout = replace(rollout, phase="AfterAllowTraffic", arrived_at=known.now, after=after)
        return _after(rollout, known)
    return Turn(rollout)


def _after(rollout: Rollout, known: Known) -> Turn:
    if (refused := _hook_failed(rollout, "AfterAllowTraffic", rollout.after, known)) is not None:
        return refused
    if known.alarms:
        alarm = policy.decide(rollout.shape, rollout.limits, rollout.share, 0.0, rollout.seen, known.alarms)
        assert isinstance(alarm, GoBack), "an alarm takes it back at any time"
        return _thrown_out(rollout, known, alarm)
    if (verdict := policy.judge(rollout.limits, rollout.seen, final=_passed(rollout.after))) is not None:
        return _thrown_out(rollout, known, verdict)
    if not _passed(rollout.after):
        return Turn(rollout)
    return Turn(replace(rollout, status="Succeeded", completed_at=known.now))


def _begun(hook: Hook | None, known: Known, execution_id: str) -> Hook | None:
    return replace(hook, status="InProgress", execution_id=execution_id, started_at=known.now) if hook else None


def _passed(hook: Hook | None) -> bool:
    return hook is None or hook.status == "Succeeded"


def _hook_failed(rollout: Rollout, event: str, hook: Hook | None, known: Known) -> Turn | None:
    if hook is None or hook.status == "Succeeded":
        return None
    if hook.status == "Failed":
        because = f": {hook.message}" if hook.message else "."
        message = f"The hook {hook.function} of {event} failed{because}"
    elif hook.started_at is not None and known.now - hook.started_at > HOOK_S:
        message = f"The hook {hook.function} of {event} did not report within an hour."
    else:
        return None
    return _failed(rollout, known, "HOOK_EXECUTION_FAILURE", message, "DEPLOYMENT_FAILURE")


def _thrown_out(rollout: Rollout, known: Known, why: GoBack) -> Turn:
    if why.cause == "alarm":
        ended = _ended(rollout, known, "Stopped", "ALARM_ACTIVE", why.reason)
        return Turn(ended, back="DEPLOYMENT_STOP_ON_ALARM" in rollout.care.rollback_on)
    # Limits are ours, and there is no sense in one that takes nothing back.
    return Turn(_ended(rollout, known, "Failed", "CUSTOMER_APPLICATION_UNHEALTHY", why.reason), back=True)


def _failed(rollout: Rollout, known: Known, code: str, message: str, event: RollbackEvent) -> Turn:
    return Turn(_ended(rollout, known, "Failed", code, message), back=event in rollout.care.rollback_on)


def _stopped(rollout: Rollout, known: Known) -> Turn:
    return Turn(_ended(rollout, known, "Stopped", "MANUAL_STOP", STOPPED), back=bool(rollout.stop))


def _ended(rollout: Rollout, known: Known, status: str, code: str, message: str) -> Rollout:
    def over(hook: Hook | None) -> Hook | None:
        if hook is None or hook.status not in ("Pending", "InProgress"):
            return hook
        return replace(hook, status="Skipped" if hook.status == "Pending" else "Failed", ended_at=known.now)

    return replace(
        rollout,
        status=status,
        completed_at=known.now,
        error_code=code,
        error_message=message,
        before=over(rollout.before),
        after=over(rollout.after),
    )
