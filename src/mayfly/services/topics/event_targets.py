"""`ports.EventTargets`: how other services publish, within their own transactions."""

from typing import Any

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.denials import Attempt, denies
from mayfly.services.ports import PLAIN, Source, TargetOptions
from mayfly.services.topics import faults, messages
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.messages import Origin
from mayfly.services.topics.model import Topic
from mayfly.services.topics.publishing import Publisher
from mayfly.store.api import Store, Tx


class TopicEventTargets:
    """Topics as targets of events."""

    def __init__(self, store: Store, catalog: Catalog, publisher: Publisher, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._publisher = publisher
        self._clock = clock

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """`ServiceError` NotFound, or AuthorizationError where the topic's policy denies it."""
        found = await self._store.read(lambda reader: self._catalog.by_arn(reader, arn))
        if found is None:
            raise faults.no_topic()
        _admit(found.topic, Source(principal, source_arn, source_account))

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """Publish one event."""
        found = self._catalog.by_arn(tx, arn)
        if found is None:
            raise faults.no_topic()
        if options.on_behalf_of is not None:
            _admit(found.topic, options.on_behalf_of)
        try:
            request: dict[str, Any] = {"Message": event.decode()}
        except UnicodeDecodeError as error:
            raise ServiceError("InvalidParameterException", "Invalid parameter: Message is no text") from error
        if options.subject is not None:
            request["Subject"] = options.subject
        if options.group_id is not None:
            request["MessageGroupId"] = options.group_id
        if options.deduplication_id is not None and found.topic.fifo:
            request["MessageDeduplicationId"] = options.deduplication_id
        if options.attributes:
            request["MessageAttributes"] = {
                name: {
                    "DataType": one.data_type,
                    ("StringValue" if isinstance(one.value, str) else "BinaryValue"): one.value,
                }
                for name, one in options.attributes.items()
            }
        draft = messages.drafted(request, Origin(ids.request_id(), self._clock.now(), "", options.trace_header))
        self._publisher.publish(tx, found, draft)


def _admit(topic: Topic, source: Source) -> None:
    """`ServiceError` where the topic's policy denies a source to publish."""
    attempt = Attempt("SNS:Publish", None, source.principal, source.arn, source.account)
    if denies(topic.attributes.get("Policy"), attempt):
        raise faults.denied(
            f"The policy of {topic.arn} denies {source.principal} to publish on behalf of {source.arn}."
        )
