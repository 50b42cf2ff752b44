"""What a queue is asked about itself: attributes, tags, permissions."""

from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, operation
from mayfly.services.queues import attributes, names, resource_policy, statements, tagging
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.errors import InvalidValueError, MissingError, unknown_attribute
from mayfly.services.queues.model import Queue
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        AddPermissionRequestTypeDef,
        GetQueueAttributesRequestTypeDef,
        ListQueueTagsRequestTypeDef,
        RemovePermissionRequestTypeDef,
        TagQueueRequestTypeDef,
        UntagQueueRequestTypeDef,
    )

_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class AttributeOperations:
    """Handlers of operations on what belongs to a queue."""

    def __init__(self, store: Store, clock: Clock, catalog: Catalog) -> None:
        self._store = store
        self._clock = clock
        self._catalog = catalog

    @operation("GetQueueAttributes")
    async def get_queue_attributes(
        self, context: RequestContext, request: "GetQueueAttributesRequestTypeDef"
    ) -> dict[str, Any]:
        """Attributes by name; none, unless some are asked for."""
        key = names.key_of(context, request["QueueUrl"])
        wanted = {str(name) for name in request.get("AttributeNames", ())}
        every = "All" in wanted
        for name in wanted - {"All"}:
            if name not in attributes.NAMES:
                raise unknown_attribute(name)
        counting = every or not wanted.isdisjoint(_COUNTS)
        now = int(self._clock.now() * 1000)

        def body(reader: Reader) -> dict[str, str]:
            queue = self._catalog.require(reader, key)
            found = attributes.described(queue) | {
                "QueueArn": queue.arn,
                "CreatedTimestamp": str(queue.created_s),
                "LastModifiedTimestamp": str(queue.modified_s),
            }
            return found | _counts(reader, queue, now) if counting else found

        found = await self._store.read(body)
        reply = found if every else {name: text for name, text in found.items() if name in wanted}
        return {"Attributes": reply} if reply else {}

    @operation("TagQueue")
    async def tag_queue(self, context: RequestContext, request: "TagQueueRequestTypeDef") -> dict[str, Any]:
        """Add tags."""
        given = request["Tags"]
        if not given:
            raise MissingError("Tags")

        def change(queue: Queue) -> Queue:
            return msgspec.structs.replace(queue, tags=tagging.checked({**queue.tags, **given}))

        await self._change(context, request["QueueUrl"], change)
        return {}

    @operation("UntagQueue")
    async def untag_queue(self, context: RequestContext, request: "UntagQueueRequestTypeDef") -> dict[str, Any]:
        """Remove tags; those that are not there are no error."""
        gone = set(request["TagKeys"])
        if not gone:
            raise InvalidValueError("Tag keys must be between 1 and 128 characters in length.")

        def change(queue: Queue) -> Queue:
            kept = {key: value for key, value in queue.tags.items() if key not in gone}
            return msgspec.structs.replace(queue, tags=kept)

        await self._change(context, request["QueueUrl"], change)
        return {}

    @operation("ListQueueTags")
    async def list_queue_tags(self, context: RequestContext, request: "ListQueueTagsRequestTypeDef") -> dict[str, Any]:
        """All tags of a queue."""
        key = names.key_of(context, request["QueueUrl"])
        queue = await self._store.read(lambda reader: self._catalog.require(reader, key))
        return {"Tags": dict(queue.tags)} if queue.tags else {}

    @operation("AddPermission")
    async def add_permission(self, context: RequestContext, request: "AddPermissionRequestTypeDef") -> dict[str, Any]:
        """Add a statement to the queue's policy."""
        label, accounts, actions = request["Label"], request["AWSAccountIds"], request["Actions"]

        def change(queue: Queue) -> Queue:
            policy = resource_policy.with_permission(queue.policy, queue.arn, label, accounts, actions)
            return msgspec.structs.replace(queue, policy=policy)

        await self._change(context, request["QueueUrl"], change)
        return {}

    @operation("RemovePermission")
    async def remove_permission(
        self, context: RequestContext, request: "RemovePermissionRequestTypeDef"
    ) -> dict[str, Any]:
        """Remove a statement from the queue's policy."""
        label = request["Label"]

        def change(queue: Queue) -> Queue:
            return msgspec.structs.replace(queue, policy=resource_policy.without_permission(queue.policy, label))

        await self._change(context, request["QueueUrl"], change)
        return {}

    async def _change(self, context: RequestContext, url: str, change: Any) -> None:
        key = names.key_of(context, url)

        def body(tx: Tx) -> None:
            self._catalog.replace(tx, change(self._catalog.require(tx, key)))

        await self._store.write(body)


def _counts(reader: Reader, queue: Queue, now: int) -> dict[str, str]:
    """How many messages there are, from what is kept of the whole and the part of the index that is in the future."""
    store = reader.one(statements.FIND_STORE, {"no": queue.store})
    later = reader.one(statements.COUNT_LATER, {"store": queue.store, "now": now})
    every = int(store[0]) if store is not None else 0
    hidden, delayed = (int(later[0]), int(later[1])) if later is not None else (0, 0)
    visible = max(0, every - hidden)
    return dict(zip(_COUNTS, (str(visible), str(hidden - delayed), str(delayed)), strict=True))
