"""What the calls of a new version come to: read from the ledger of calls, each record once."""

from mayfly.policy.quantiles import bucket, merge, quantile
from mayfly.policy.rollouts import Observed
from mayfly.services.functions.rollouts.model import Watched
from mayfly.services.ports import CallLedger
from mayfly.store.api import Reader

SLOWEST = 0.95  # the percentile that latency is judged by
_BATCHES = 50  # of the ledger at once


def begin(reader: Reader, ledger: CallLedger) -> Watched:
    """Calls from now on."""
    return Watched(ledger.position(reader))


def read_on(reader: Reader, ledger: CallLedger, watched: Watched, version_arn: str) -> Watched:
    """With what was recorded since."""
    calls, errors = watched.calls, watched.errors
    position, end = watched.position, ledger.position(reader)
    durations = dict(watched.durations)
    while position < end:
        position, records = ledger.records_after(reader, position, _BATCHES)
        for record in records:
            if record.function_arn == version_arn:
                calls += 1
                errors += record.outcome != "ok"
                merge(durations, {bucket(record.duration_ms): 1.0})
        if not records:  # what is older than the ledger keeps is gone
            break
    return Watched(end, calls, errors, durations)


def observed(watched: Watched) -> Observed:
    """As policy wants it."""
    return Observed(watched.calls, watched.errors, quantile(watched.durations, SLOWEST))
