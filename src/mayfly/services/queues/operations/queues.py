"""Queues themselves: made, found, listed, changed, emptied, deleted."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.queues import attributes, names, statements, tagging
from mayfly.services.queues.board import Board
from mayfly.services.queues.catalog import Catalog, next_ids
from mayfly.services.queues.errors import invalid, invalid_attribute
from mayfly.services.queues.model import Queue, QueueKey
from mayfly.services.queues.pages import page_of
from mayfly.services.queues.retiming import retime
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        CreateQueueRequestTypeDef,
        DeleteQueueRequestTypeDef,
        GetQueueUrlRequestTypeDef,
        ListDeadLetterSourceQueuesRequestTypeDef,
        ListQueuesRequestTypeDef,
        PurgeQueueRequestTypeDef,
        SetQueueAttributesRequestTypeDef,
    )

RESERVED_MS = 60_000  # how long a deleted queue's name is not given again, and a purge not repeated
MOST_NAMES = 1000


class QueueOperations:
    """Handlers of operations on queues."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog, board: Board) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog
        self._board = board

    @operation("CreateQueue")
    async def create_queue(self, context: RequestContext, request: "CreateQueueRequestTypeDef") -> dict[str, Any]:
        """Make a queue; the one that is there already, if it is as described."""
        name = names.checked_name(request["QueueName"])
        given = {str(each): text for each, text in request.get("Attributes", {}).items()}
        tags = tagging.checked(request.get("tags", {}))
        key = QueueKey(context.account, context.region, name)
        now = int(self._clock.now() * 1000)
        fifo = _is_fifo(name, given)
        fresh = Queue(0, 0, *key, now // 1000, now // 1000, fifo=fifo, tags=tags)
        wanted = attributes.changed(fresh, given)

        def body(tx: Tx) -> None:
            existing = self._catalog.find(tx, key)
            if existing is not None:
                _check_same(existing, wanted, given)
                return
            self._check_name(tx, key, now)
            self._check_target(tx, wanted, given)
            first = next_ids(tx, 2)
            self._catalog.add(tx, msgspec.structs.replace(wanted, no=first, store=first + 1))

        await self._store.write(body)
        return {"QueueUrl": names.url_of(context, key)}

    @operation("GetQueueUrl")
    async def get_queue_url(self, context: RequestContext, request: "GetQueueUrlRequestTypeDef") -> dict[str, Any]:
        """Where a queue is."""
        account = request.get("QueueOwnerAWSAccountId") or context.account
        key = QueueKey(account, context.region, request["QueueName"])
        await self._store.read(lambda reader: self._catalog.require(reader, key))
        return {"QueueUrl": names.url_of(context, key)}

    @operation("ListQueues")
    async def list_queues(self, context: RequestContext, request: "ListQueuesRequestTypeDef") -> dict[str, Any]:
        """The caller's queues in order of their names."""
        prefix = request.get("QueueNamePrefix", "")
        after, count = page_of(request, MOST_NAMES)
        params = {
            "account": context.account,
            "region": context.region,
            "prefix": prefix,
            "past": f"{prefix}\U0010ffff",
            "after": after,
            "count": count + 1,
        }
        rows = await self._store.read(lambda reader: reader.all(statements.LIST_QUEUES, params))
        found = [name for (name,) in rows[:count]]
        reply: dict[str, Any] = {}
        if found:
            reply["QueueUrls"] = [
                names.url_of(context, QueueKey(context.account, context.region, name)) for name in found
            ]
        if len(rows) > count and "MaxResults" in request:  # without a page size there is no second page, as with SQS
            reply["NextToken"] = page_tokens.encode(found[-1])
        return reply

    @operation("ListDeadLetterSourceQueues")
    async def list_dead_letter_source_queues(
        self, context: RequestContext, request: "ListDeadLetterSourceQueuesRequestTypeDef"
    ) -> dict[str, Any]:
        """The queues whose dead letters go to this one."""
        key = names.key_of(context, request["QueueUrl"])
        after, count = page_of(request, MOST_NAMES)

        def body(reader: Reader) -> list[Queue]:
            arn = self._catalog.require(reader, key).arn
            rows = reader.all(statements.LIST_SOURCES, {"arn": arn, "after": after, "count": count + 1})
            return [self._catalog.decode(definition) for (definition,) in rows]

        found = await self._store.read(body)
        reply: dict[str, Any] = {"queueUrls": [names.url_of(context, queue.key) for queue in found[:count]]}
        if len(found) > count and "MaxResults" in request:
            reply["NextToken"] = page_tokens.encode(found[count - 1].name)
        return reply

    @operation("SetQueueAttributes")
    async def set_queue_attributes(
        self, context: RequestContext, request: "SetQueueAttributesRequestTypeDef"
    ) -> dict[str, Any]:
        """Change a queue."""
        key = names.key_of(context, request["QueueUrl"])
        given = {str(name): text for name, text in request["Attributes"].items()}
        now = int(self._clock.now() * 1000)

        def body(tx: Tx) -> tuple[Queue, Queue]:
            queue = self._catalog.require(tx, key)
            found = attributes.changed(queue, given)
            self._check_target(tx, found, given)
            self._catalog.replace(tx, msgspec.structs.replace(found, modified_s=now // 1000))
            return queue, found

        before, after = await self._store.write(body)
        if after.fifo and after.delay_s != before.delay_s:
            await retime(self._store, self._clock, self._catalog, before, after.delay_s)
        self._board.changed(key)
        return {}

    @operation("PurgeQueue")
    async def purge_queue(self, context: RequestContext, request: "PurgeQueueRequestTypeDef") -> dict[str, Any]:
        """Remove all messages of a queue, those that are held and delayed included. As quick however many they are."""
        key = names.key_of(context, request["QueueUrl"])
        now = int(self._clock.now() * 1000)

        def body(tx: Tx) -> None:
            queue = self._catalog.require(tx, key)
            if now - queue.purged_at < RESERVED_MS:
                raise ServiceError(
                    "PurgeQueueInProgress",
                    f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.",
                    status=403,
                )
            self._catalog.discard_content(tx, queue)
            store = next_ids(tx, 1)
            tx.run(statements.INSERT_STORE, {"no": store})
            self._catalog.replace(tx, msgspec.structs.replace(queue, store=store, purged_at=now))

        await self._store.write(body)
        return {}

    @operation("DeleteQueue")
    async def delete_queue(self, context: RequestContext, request: "DeleteQueueRequestTypeDef") -> dict[str, Any]:
        """Delete a queue with all its messages."""
        key = names.key_of(context, request["QueueUrl"])
        now = int(self._clock.now() * 1000)

        def body(tx: Tx) -> None:
            self._catalog.delete(tx, self._catalog.require(tx, key))
            tx.run(statements.PUT_DELETED, {**key._asdict(), "now": now})
            tx.after_commit(lambda: self._board.changed(key))

        await self._store.write(body)
        return {}

    def _check_name(self, tx: Tx, key: QueueKey, now: int) -> None:
        row = tx.one(statements.FIND_DELETED, key._asdict())
        if row is not None and now - row[0] < RESERVED_MS:
            raise ServiceError(
                "QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            )

    def _check_target(self, tx: Tx, queue: Queue, given: dict[str, str]) -> None:
        """`ServiceError` unless the dead letters that a request asks for can go where they should."""
        if "RedrivePolicy" not in given or queue.redrive is None:
            return
        text = given["RedrivePolicy"]
        target = self._catalog.find_arn(tx, queue.redrive.target_arn)
        if queue.redrive.target_arn == queue.arn:
            raise invalid(text, "RedrivePolicy", "A queue cannot be its own dead-letter queue.")
        if target is None:
            raise invalid(text, "RedrivePolicy", "Dead letter target does not exist.")
        if (target.account, target.region) != (queue.account, queue.region):
            raise invalid(text, "RedrivePolicy", "Dead letter target owner and region must be those of the queue.")
        if target.fifo != queue.fifo:
            raise invalid(text, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source.")
        if not attributes.may_use(target, queue.arn):
            raise invalid(
                text, "RedrivePolicy", "The redrive allow policy of the dead letter target does not allow it."
            )


def _is_fifo(name: str, given: dict[str, str]) -> bool:
    """Whether the queue is to be a FIFO queue; `ServiceError` when name and attribute disagree."""
    said = given.get("FifoQueue")
    fifo = name.endswith(names.FIFO)
    if said is not None and said.lower() not in {"true", "false"}:
        raise invalid_attribute("FifoQueue")
    if fifo and (said is None or said.lower() != "true"):
        raise invalid(
            name, "QueueName", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    if said is not None and said.lower() == "true" and not fifo:
        raise invalid(
            name,
            "QueueName",
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length.",
        )
    if said is not None and not fifo:
        raise ServiceError("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    return fifo


def _check_same(existing: Queue, wanted: Queue, given: dict[str, str]) -> None:
    name = attributes.differing(existing, wanted, given)
    if name is not None:
        raise ServiceError(
            "QueueNameExists",
            f"A queue already exists with the same name and a different value for attribute {name}",
        )
