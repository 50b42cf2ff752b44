"""Events that could not be delivered: one message in a queue, that says what, where, why. With AWS's attributes."""

import logging

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.events.attempts import Condition, Failure
from mayfly.services.ports import MessageAttribute, QueueMessage, QueueSink
from mayfly.store.api import Tx

_COMPLAIN_S = 60.0
_COMPLAINTS = 1000  # targets of which it is remembered when they were last complained of

_log = logging.getLogger(__name__)


class DeadLetters:
    """Where events end that nobody took. Without a queue for them they are dropped, as on AWS, and that is logged."""

    def __init__(self, queues: QueueSink, clock: Clock) -> None:
        self._queues = queues
        self._clock = clock
        self._complained: dict[str, float] = {}

    def write(
        self,
        tx: Tx,
        queue_arn: str | None,
        event: bytes,
        *,
        rule_arn: str,
        target_arn: str,
        failure: Failure,
        condition: Condition | None,
        retries: int,
    ) -> None:
        """Keep one event, in the transaction that gives it up. Never raises `ServiceError`."""
        said = {
            "RULE_ARN": rule_arn,
            "TARGET_ARN": target_arn,
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": failure.message or failure.code,
            "RETRY_ATTEMPTS": str(retries),
        }
        if condition is not None:
            said["EXHAUSTED_RETRY_CONDITION"] = condition
        if queue_arn is None:
            return self._complain(said, "there is no dead-letter queue")
        attributes = {name: MessageAttribute("String", text) for name, text in said.items()}
        try:
            self._queues.send(tx, queue_arn, QueueMessage(event.decode(), attributes))
        except ServiceError as refusal:
            self._complain(said, f"its dead-letter queue {queue_arn} did not take it: {refusal.message}")
        return None

    def _complain(self, said: dict[str, str], why: str) -> None:
        """Log a lost event, for each target once a minute at most: a broken one may lose thousands a second."""
        now, target = self._clock.monotonic(), said["TARGET_ARN"]
        if now - self._complained.get(target, -_COMPLAIN_S) < _COMPLAIN_S:
            return
        if len(self._complained) >= _COMPLAINTS:
            self._complained.clear()
        self._complained[target] = now
        _log.warning(
            "an event of rule %s for %s is dropped, %s (%s: %s, after %s retries)",
            said["RULE_ARN"],
            target,
            why,
            said["ERROR_CODE"],
            said["ERROR_MESSAGE"],
            said["RETRY_ATTEMPTS"],
        )
