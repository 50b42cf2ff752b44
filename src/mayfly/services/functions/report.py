"""The lines that the platform itself writes to a function's log, and the figures in them. Pure.

Each ends in a newline, as in AWS's logs. The init phase is billed, as by AWS since August 2025; of an instance that
was restored from after its init, the function's own part of that, its hooks, is.
"""

import json
import math

from msgspec import Struct

from mayfly.clock import iso_millis
from mayfly.engine.api import Failure, Outcome, Phase
from mayfly.services.functions import results

_MIB = 1 << 20


class Figures(Struct, frozen=True):
    """What one invocation took."""

    duration_ms: float
    init_ms: float | None  # None too for an instance that was restored
    billed_ms: int  # with `billed_restore_ms`
    peak_memory_mb: int
    restore_ms: float | None = None  # from the decision to start the instance until its handler could run
    billed_restore_ms: int = 0


def figures(outcome: Outcome, timeout_s: float, memory_mb: int) -> Figures:
    """Durations as they are reported and billed; nobody pays for the time that killing took."""
    duration_ms = outcome.duration_ms
    if outcome.failure is not None and outcome.failure.kind in ("timeout", "init-timeout"):
        duration_ms = timeout_s * 1000
    peak_memory_mb = min(memory_mb, -(-outcome.peak_memory_bytes // _MIB))
    start = outcome.start
    if start is not None and start.restored:
        hooks_ms = math.ceil(round(start.init_ms, 3))
        billed_ms = max(1, math.ceil(round(duration_ms, 3))) + hooks_ms
        return Figures(duration_ms, None, billed_ms, peak_memory_mb, start.total_ms, hooks_ms)
    billed_ms = max(1, math.ceil(round(duration_ms + (outcome.init_ms or 0.0), 3)))
    return Figures(duration_ms, outcome.init_ms, billed_ms, peak_memory_mb)


def init_start(runtime: str, version_arn: str, *, restored: bool = False) -> str:
    return f"{'RESTORE' if restored else 'INIT'}_START Runtime Version: {runtime}\tRuntime Version ARN: {version_arn}\n"


def restore_report(took_ms: float, failure: Failure | None) -> str:
    """The line that ends the restore of an instance, before its first call."""
    return f"RESTORE_REPORT Restore Duration: {took_ms:.2f} ms{_ending(failure)}\n"


def init_report(took_ms: float, failure: Failure | None, phase: Phase = "init") -> str:
    """The line that ends an init that no call waits for, or one that failed; of any other, the first call's REPORT
    tells."""
    where = f"\tPhase: {phase}" if failure is not None else ""
    return f"INIT_REPORT Init Duration: {took_ms:.2f} ms{where}{_ending(failure)}\n"


def _ending(failure: Failure | None) -> str:
    return f"\t{_status(failure)}" if failure is not None else ""


def start(request_id: str, version: str) -> str:
    return f"START RequestId: {request_id} Version: {version}\n"


def end(request_id: str) -> str:
    return f"END RequestId: {request_id}\n"


def report(request_id: str, took: Figures, memory_mb: int, failure: Failure | None) -> str:
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {took.duration_ms:.2f} ms\tBilled Duration: {took.billed_ms} ms\t"
        f"Memory Size: {memory_mb} MB\tMax Memory Used: {took.peak_memory_mb} MB\t"
    )
    if took.init_ms is not None:
        line += f"Init Duration: {took.init_ms:.2f} ms\t"
    if took.restore_ms is not None:
        line += f"Restore Duration: {took.restore_ms:.2f} ms\tBilled Restore Duration: {took.billed_restore_ms} ms\t"
    return f"{line}{_status(failure)}\n"


def _status(failure: Failure | None) -> str:
    """An exception in the handler is no status: the platform did its part."""
    if failure is None or failure.kind == "raised":
        return ""
    if failure.kind in ("timeout", "init-timeout", "restore-timeout"):
        return "Status: timeout"
    return f"Status: error\tError Type: {named_type(failure)}"


def named_type(failure: Failure) -> str:
    """The runtime's own name of the error where it gave one."""
    if failure.payload:
        try:
            named = json.loads(failure.payload).get("errorType")
        except (ValueError, AttributeError, RecursionError):
            named = None
        if isinstance(named, str) and named:
            return named.splitlines()[0][:256]
    return results.error_type(failure)


def cause_of_death(request_id: str, failure: Failure, timeout_s: float, now: float) -> str | None:
    """The line before END when the platform ended the call; None when the runtime spoke for itself."""
    if failure.kind in ("raised", "init-raised", "restore-raised") and not failure.error_type:
        return None
    text = results.cause(failure, timeout_s)
    if failure.kind in ("timeout", "init-timeout"):
        return f"{iso_millis(now)} {request_id} {text}\n\n"
    return f"RequestId: {request_id} Error: {text}\n{results.error_type(failure)}\n"
