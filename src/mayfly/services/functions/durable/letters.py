"""Executions that failed, and that nobody waited for: what they were given goes where the function's dead letters go.

As AWS has it, a dead-letter queue is all there is: destinations of asynchronous invocation get no record of executions.
"""

import logging

from mayfly.services.contract import ServiceError
from mayfly.services.functions import dead_letters, version_repository
from mayfly.services.functions.durable import repository
from mayfly.services.functions.durable.model import Began, Error
from mayfly.services.ports import EventTargets, MetricCounts, TargetOptions
from mayfly.store.api import Tx

_ERROR_CODE = 200  # of an event whose function failed, as Lambda has it

_log = logging.getLogger(__name__)


class DeadLetters:
    """Hands them over, in the transaction that ends an execution."""

    def __init__(self, targets: EventTargets, counts: MetricCounts) -> None:
        self._targets = targets
        self._counts = counts

    def send(self, tx: Tx, began: Began, error: Error) -> None:
        """Send what an execution was given, if its version has a place for that."""
        found = version_repository.resolve(tx, began.function, began.version)
        arn = found.runs.configuration.dead_letters if found is not None else None
        if arn is None:
            return
        said = dead_letters.attributes(began.execution_id, _ERROR_CODE, error.message or error.type or "")
        given = repository.given(tx, began.execution_id)
        try:
            self._targets.accept(tx, arn, given, TargetOptions(attributes=said, trace_header=began.trace_id))
        except ServiceError as refused:
            _log.warning("the dead letter of %s was refused by %s: %s", began.arn, arn, refused)
            where = (("FunctionName", began.function),)
            tx.after_commit(lambda: self._counts.count("DeadLetterErrors", where))
