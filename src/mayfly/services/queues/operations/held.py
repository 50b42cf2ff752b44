"""DeleteMessage, ChangeMessageVisibility and their batches."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.queues import handles, names
from mayfly.services.queues.batches import checked_entries, failed
from mayfly.services.queues.catalog import Catalog
from mayfly.services.queues.holding import Holding, Outcome, check_visibility
from mayfly.services.queues.model import Queue
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestTypeDef,
        ChangeMessageVisibilityRequestTypeDef,
        DeleteMessageBatchRequestTypeDef,
        DeleteMessageRequestTypeDef,
    )

Step = Callable[[Tx, Queue, Outcome], None]


class HeldOperations:
    """Handlers of operations on messages that were received."""

    def __init__(self, store: Store, catalog: Catalog, holding: Holding) -> None:
        self._store = store
        self._catalog = catalog
        self._holding = holding

    @operation("DeleteMessage")
    async def delete_message(self, context: RequestContext, request: "DeleteMessageRequestTypeDef") -> dict[str, Any]:
        """Delete a message. One that is gone already is no error."""
        await self._one(context, request["QueueUrl"], self._deletion(request["ReceiptHandle"]))
        return {}

    @operation("DeleteMessageBatch")
    async def delete_message_batch(
        self, context: RequestContext, request: "DeleteMessageBatchRequestTypeDef"
    ) -> dict[str, Any]:
        """Delete up to ten messages; each may fail by itself."""
        entries = checked_entries(request["Entries"], "DeleteMessageBatchRequestEntry")
        steps = {entry["Id"]: partial(self._deletion, entry["ReceiptHandle"]) for entry in entries}
        return await self._batch(context, request["QueueUrl"], steps)

    @operation("ChangeMessageVisibility")
    async def change_message_visibility(
        self, context: RequestContext, request: "ChangeMessageVisibilityRequestTypeDef"
    ) -> dict[str, Any]:
        """Say anew how long a message is held."""
        step = self._change(request["ReceiptHandle"], request["VisibilityTimeout"])
        await self._one(context, request["QueueUrl"], step)
        return {}

    @operation("ChangeMessageVisibilityBatch")
    async def change_message_visibility_batch(
        self, context: RequestContext, request: "ChangeMessageVisibilityBatchRequestTypeDef"
    ) -> dict[str, Any]:
        """The same for up to ten messages; each may fail by itself."""
        steps = {}
        for entry in checked_entries(request["Entries"], "ChangeMessageVisibilityBatchRequestEntry"):
            timeout_s = entry.get("VisibilityTimeout", 0)
            steps[entry["Id"]] = partial(self._change, entry["ReceiptHandle"], timeout_s)
        return await self._batch(context, request["QueueUrl"], steps)

    def _deletion(self, text: str) -> Step:
        handle = handles.read(text)
        return lambda tx, queue, outcome: self._holding.delete(tx, queue, handle, text, outcome)

    def _change(self, text: str, visibility_s: int) -> Step:
        check_visibility(visibility_s)
        handle = handles.read(text)
        return lambda tx, queue, outcome: self._holding.change(tx, queue, handle, text, visibility_s, outcome)

    async def _one(self, context: RequestContext, url: str, step: Step) -> None:
        key = names.key_of(context, url)

        def body(tx: Tx) -> None:
            queue, outcome = self._catalog.require(tx, key), Outcome()
            step(tx, queue, outcome)
            self._holding.settle(tx, queue, outcome)

        await self._store.write(body)

    async def _batch(
        self, context: RequestContext, url: str, makers: Mapping[str, Callable[[], Step]]
    ) -> dict[str, Any]:
        key = names.key_of(context, url)
        steps: dict[str, Step | ServiceError] = {}
        for entry_id, make in makers.items():
            try:
                steps[entry_id] = make()
            except ServiceError as error:
                steps[entry_id] = error

        def body(tx: Tx) -> dict[str, Any]:
            queue, outcome = self._catalog.require(tx, key), Outcome()
            successful, failures = [], []
            for entry_id, step in steps.items():
                try:
                    if isinstance(step, ServiceError):
                        raise step
                    step(tx, queue, outcome)
                    successful.append({"Id": entry_id})
                except ServiceError as error:
                    failures.append(failed(entry_id, error))
            self._holding.settle(tx, queue, outcome)
            reply: dict[str, Any] = {}
            if successful:
                reply["Successful"] = successful
            if failures:
                reply["Failed"] = failures
            return reply

        return await self._store.write(body)
