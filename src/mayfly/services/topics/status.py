"""Delivery status: what became of messages, as lines in the log groups of their topic, where the topic asks for it.

Lines are written after the commit of what they tell of. They go through the journal of logs, which is one write.
"""

import logging
import random
from collections.abc import Callable
from hashlib import md5
from typing import Any, NamedTuple

import msgspec

from mayfly import ids
from mayfly.clock import Clock, utc
from mayfly.errors import PlatformError
from mayfly.services.ports import LogLines
from mayfly.services.topics import names
from mayfly.services.topics.model import Message, Subscription, Topic
from mayfly.store.api import Tx

_PREFIX = {"sqs": "SQS", "lambda": "Lambda", "http": "HTTP", "https": "HTTP"}
_log = logging.getLogger(__name__)


Lines = Callable[[list[LogLines]], None]  # writes them


class Outcome(NamedTuple):
    """What became of a delivery."""

    status: int
    answer: str
    attempts: int

    @property
    def success(self) -> bool:
        return 200 <= self.status < 300


class StatusLog:
    """Writes what topics want to know."""

    def __init__(self, write: Lines, clock: Clock, draw: Callable[[], float] = random.random) -> None:
        self._write = write
        self._clock = clock
        self._draw = draw

    def note(self, tx: Tx, topic: Topic, message: Message, subscription: Subscription, outcome: Outcome) -> None:
        """Have an outcome logged once the transaction is durable, if the topic wants to know."""
        if not self._wanted(topic, subscription, outcome):
            return
        now = self._clock.now()
        group = f"sns/{topic.region}/{topic.account}/{topic.name}{'' if outcome.success else '/Failure'}"
        stream = f"{utc(now):%Y/%m/%d}/{ids.digits(32)}"
        line = msgspec.json.encode(_shown(topic, message, subscription, outcome, now)).decode()
        lines = [LogLines(group, stream, [(int(now * 1000), line)])]
        tx.after_commit(lambda: self._put(lines))

    def _wanted(self, topic: Topic, subscription: Subscription, outcome: Outcome) -> bool:
        kind = _PREFIX[subscription.protocol]
        if not outcome.success:
            return f"{kind}FailureFeedbackRoleArn" in topic.attributes
        if f"{kind}SuccessFeedbackRoleArn" not in topic.attributes:
            return False
        return self._draw() * 100 < int(topic.attributes.get(f"{kind}SuccessFeedbackSampleRate", "0"))

    def _put(self, lines: list[LogLines]) -> None:
        try:
            self._write(lines)
        except PlatformError as error:
            _log.warning("the status of a delivery could not be logged: %s", error)


def _shown(topic: Topic, message: Message, subscription: Subscription, outcome: Outcome, now: float) -> dict[str, Any]:
    text = message.text_for(subscription.protocol)
    return {
        "notification": {
            "messageMD5Sum": md5(text.encode(), usedforsecurity=False).hexdigest(),
            "messageId": message.id,
            "topicArn": topic.arn,
            "timestamp": f"{utc(message.published_at):%Y-%m-%d %H:%M:%S}.{int(message.published_at * 1000) % 1000:03d}",
        },
        "delivery": {
            "deliveryId": ids.request_id(),
            "destination": names.masked(subscription.endpoint),
            "providerResponse": outcome.answer,
            "dwellTimeMs": max(0, int((now - message.published_at) * 1000)),
            "attempts": outcome.attempts,
            "statusCode": outcome.status,
        },
        "status": "SUCCESS" if outcome.success else "FAILURE",
    }
