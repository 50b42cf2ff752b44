"""SendMessage and SendMessageBatch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mayfly import ids
from mayfly.services.contract import Principal, RequestContext, ServiceError, operation
from mayfly.services.queues import drafting, names
from mayfly.services.queues.batches import checked_entries, failed
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.errors import InvalidValueError
from mayfly.services.queues.model import Draft, Sent, sequence_number
from mayfly.services.queues.sending import Sending
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import SendMessageBatchRequestTypeDef, SendMessageRequestTypeDef


class SendOperations:
    """Handlers of operations that put messages into queues."""

    def __init__(self, store: Store, catalog: Catalog, sending: Sending) -> None:
        self._store = store
        self._catalog = catalog
        self._sending = sending
        self._ids = ids.RequestIds()

    @operation("SendMessage")
    async def send_message(self, context: RequestContext, request: "SendMessageRequestTypeDef") -> dict[str, Any]:
        """Send one message."""
        key = names.key_of(context, request["QueueUrl"])
        message_id = self._ids.next()
        draft = drafting.draft(request, sender_of(context.principal), packed(message_id), context.trace)

        def body(tx: Tx) -> Sent:
            queue = self._catalog.require(tx, key)
            drafting.check_for(queue, draft)
            return self._sending.send(tx, queue, (draft,))[0]

        sent = await self._store.write(body)
        return _reply(draft, sent, message_id)

    @operation("SendMessageBatch")
    async def send_message_batch(
        self, context: RequestContext, request: "SendMessageBatchRequestTypeDef"
    ) -> dict[str, Any]:
        """Send up to ten messages; each may fail by itself."""
        key = names.key_of(context, request["QueueUrl"])
        entries = checked_entries(request["Entries"], "SendMessageBatchRequestEntry")
        sender, trace = sender_of(context.principal), context.trace
        drafts: list[tuple[str, str, Draft]] = []
        failures: dict[str, dict[str, Any]] = {}
        for entry in entries:
            message_id = self._ids.next()
            try:
                drafts.append((entry["Id"], message_id, drafting.draft(entry, sender, packed(message_id), trace)))
            except ServiceError as error:
                failures[entry["Id"]] = failed(entry["Id"], error)
        drafting.check_total(sum(draft.size for _, _, draft in drafts))

        def body(tx: Tx) -> tuple[list[tuple[str, str, Draft]], list[Sent], dict[str, dict[str, Any]]]:
            queue = self._catalog.require(tx, key)
            fine, refused = [], {}
            for each in drafts:
                try:
                    drafting.check_for(queue, each[2])
                    fine.append(each)
                except ServiceError as error:
                    if error.code == "MissingParameter" or "provided explicitly" in error.message:
                        raise InvalidValueError(error.message) from error  # of the request as a whole, with SQS
                    refused[each[0]] = failed(each[0], error)
            return fine, self._sending.send(tx, queue, [draft for _, _, draft in fine]) if fine else [], refused

        fine, sent, refused = await self._store.write(body)
        failures |= refused
        successful = [
            {"Id": entry_id, **_reply(draft, each, message_id)}
            for (entry_id, message_id, draft), each in zip(fine, sent, strict=True)
        ]
        return _batch_reply(successful, [failures[entry["Id"]] for entry in entries if entry["Id"] in failures])


def _batch_reply(successful: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    reply: dict[str, Any] = {}
    if successful:
        reply["Successful"] = successful
    if failures:
        reply["Failed"] = failures
    return reply


def _reply(draft: Draft, sent: Sent, message_id: str) -> dict[str, Any]:
    reply: dict[str, Any] = {"MessageId": message_id, "MD5OfMessageBody": draft.body_md5}
    if sent.sequence is not None:
        reply["MessageId"] = unpacked(sent.message_id)  # of the first, if this was a duplicate
        reply["SequenceNumber"] = sequence_number(sent.sequence)
    if draft.attributes_md5 is not None:
        reply["MD5OfMessageAttributes"] = draft.attributes_md5
    if draft.system_md5 is not None:
        reply["MD5OfMessageSystemAttributes"] = draft.system_md5
    return reply


def sender_of(principal: Principal) -> str:
    """The SenderId that receivers see."""
    return principal.user_id or principal.account


def packed(message_id: str) -> bytes:
    """A message id as it is stored."""
    return bytes.fromhex(message_id.replace("-", ""))


def unpacked(message_id: bytes) -> str:
    """A stored message id as it is shown."""
    text = message_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
