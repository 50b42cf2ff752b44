"""`ports.EventTargets` and `ports.QueueSink`: messages from inside the platform, within the caller's transaction."""

from collections.abc import Callable

from mayfly import ids
from mayfly.services.contract import ServiceError
from mayfly.services.denials import Attempt, denies
from mayfly.services.ports import PLAIN, QueueMessage, SentMessage, Source, TargetOptions
from mayfly.services.queues import drafting, resource_policy
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.errors import NoQueueError
from mayfly.services.queues.model import Queue, sequence_number
from mayfly.services.queues.operations.sending import packed, unpacked
from mayfly.services.queues.sending import Sending
from mayfly.store.api import Reader, Store, Tx

PLATFORM = "AIDAISMY4JYPOGJTJRROO"  # what SQS shows as the sender where a service of AWS sends


class QueueDoors:
    """How other services put messages into queues. Gives both ports."""

    def __init__(
        self, store: Store, catalog: Catalog, sending: Sending, new_id: Callable[[], str] = ids.request_id
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._sending = sending
        self._new_id = new_id

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """See `ports.EventTargets`."""
        queue = await self._store.read(lambda reader: self._find(reader, arn))
        _admit(queue, Source(principal, source_arn, source_account))

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """See `ports.EventTargets`. A FIFO queue needs a group, and an id unless it deduplicates by content."""
        try:
            body = event.decode()
        except UnicodeDecodeError:
            raise ServiceError("InvalidMessageContents", "An event for a queue is UTF-8 text.") from None
        message = QueueMessage(
            body,
            options.attributes,
            group_id=options.group_id,
            deduplication_id=options.deduplication_id,
            trace_header=options.trace_header,
            source=options.on_behalf_of,
        )
        self.send(tx, arn, message)

    def send(self, tx: Tx, queue_arn: str, message: QueueMessage) -> SentMessage:
        """See `ports.QueueSink`."""
        queue = self._find(tx, queue_arn)
        if message.source is not None and queue.policy:
            _admit(queue, message.source)
        draft = drafting.draft_of(message, PLATFORM, packed(self._new_id()))
        drafting.check_for(queue, draft)
        sent = self._sending.send(tx, queue, (draft,))[0]
        number = None if sent.sequence is None else sequence_number(sent.sequence)
        return SentMessage(unpacked(sent.message_id), number)

    def _find(self, reader: Reader, arn: str) -> Queue:
        queue = self._catalog.find_arn(reader, arn)
        if queue is None:
            raise NoQueueError
        return queue


def _admit(queue: Queue, source: Source) -> None:
    """`ServiceError` where the queue's policy denies a source to send."""
    attempt = Attempt(resource_policy.SEND, queue.arn, source.principal, source.arn, source.account)
    if denies(queue.policy, attempt):
        raise ServiceError(
            "AccessDenied",
            f"The policy of {queue.arn} does not let {source.principal} send messages to it on behalf of {source.arn}.",
            status=403,
        )
