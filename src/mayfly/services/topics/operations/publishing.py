"""Publish and PublishBatch."""

import re
from typing import TYPE_CHECKING, Any

from mayfly import ids
from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.topics import faults, messages
from mayfly.services.topics.catalog import Catalog
from mayfly.services.topics.messages import Draft, Origin
from mayfly.services.topics.model import MAX_BATCH
from mayfly.services.topics.publishing import Published, Publisher
from mayfly.store.api import Store, Tx

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as sns

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
# The codes of errors as SNS's model has them, where a reply carries them as text.
_CODES = {"InvalidParameterException": "InvalidParameter", "InvalidParameterValueException": "ParameterValueInvalid"}


class PublishOperations:
    """Messages."""

    def __init__(self, store: Store, catalog: Catalog, publisher: Publisher, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._publisher = publisher
        self._clock = clock

    @operation("Publish")
    async def publish(self, context: RequestContext, request: "sns.PublishInputTypeDef") -> dict[str, Any]:
        """One message to one topic."""
        if "PhoneNumber" in request:
            raise faults.unserved("PhoneNumber Reason: Mayfly sends no SMS")
        member = "TopicArn" if "TopicArn" in request else "TargetArn"
        arn = request.get("TopicArn") or request.get("TargetArn")
        if not arn or ("TopicArn" in request and "TargetArn" in request):
            raise faults.invalid("TopicArn or TargetArn Reason: exactly one of them must be there")
        if ":endpoint/" in arn:
            raise faults.unserved("TargetArn Reason: Mayfly sends no push notifications to mobile devices")
        draft = messages.drafted(request, self._origin(context))
        [rendering] = await self._publisher.prepare(arn, [draft])

        def body(tx: Tx) -> Published:
            return self._publisher.publish(tx, self._catalog.require(tx, context, arn, member), draft, rendering)

        return _told(await self._store.write(body))

    @operation("PublishBatch")
    async def publish_batch(self, context: RequestContext, request: "sns.PublishBatchInputTypeDef") -> dict[str, Any]:
        """Up to ten messages, in their order; each succeeds or fails for itself, all that succeed in one commit."""
        entries = request["PublishBatchRequestEntries"]
        _check_entries([entry["Id"] for entry in entries])
        failed: dict[str, ServiceError] = {}
        drafts: dict[str, Draft] = {}
        for entry in entries:
            try:
                drafts[entry["Id"]] = messages.drafted(entry, self._origin(context))
            except ServiceError as error:
                failed[entry["Id"]] = error
        arn = request["TopicArn"]
        prepared = await self._publisher.prepare(arn, list(drafts.values()))

        def body(tx: Tx) -> tuple[dict[str, Published], dict[str, ServiceError]]:
            found = self._catalog.require(tx, context, arn)
            if sum(draft.size for draft in drafts.values()) > found.topic.max_bytes:
                raise ServiceError(
                    "BatchRequestTooLongException",
                    "The length of all the messages put together is more than the limit.",
                )
            done: dict[str, Published] = {}
            wrong: dict[str, ServiceError] = {}
            for (name, draft), rendering in zip(drafts.items(), prepared, strict=True):
                try:
                    done[name] = self._publisher.publish(tx, found, draft, rendering)
                except ServiceError as error:
                    wrong[name] = error
            return done, wrong

        done, wrong = await self._store.write(body)
        failed |= wrong
        ordered = [entry["Id"] for entry in entries]
        return {
            "Successful": [{"Id": name, **_told(done[name])} for name in ordered if name in done],
            "Failed": [_failure(name, failed[name]) for name in ordered if name in failed],
        }

    def _origin(self, context: RequestContext) -> Origin:
        return Origin(ids.request_id(), self._clock.now(), context.principal.user_id, context.trace)


def _check_entries(names: list[str]) -> None:
    if not names:
        raise ServiceError("EmptyBatchRequestException", "The batch request doesn't contain any entries.")
    if len(names) > MAX_BATCH:
        raise ServiceError(
            "TooManyEntriesInBatchRequestException", "The batch request contains more entries than permissible."
        )
    if any(_ENTRY_ID.fullmatch(name) is None for name in names):
        raise ServiceError(
            "InvalidBatchEntryIdException",
            "The Id of a batch entry in a batch request doesn't abide by the specification.",
        )
    if len(set(names)) < len(names):
        raise ServiceError(
            "BatchEntryIdsNotDistinctException", "Two or more batch entries in the request have the same Id."
        )


def _told(published: Published) -> dict[str, Any]:
    told = {"MessageId": published.message_id}
    if published.sequence_number is not None:
        told["SequenceNumber"] = published.sequence_number
    return told


def _failure(name: str, error: ServiceError) -> dict[str, Any]:
    return {"Id": name, "Code": _CODES.get(error.code, error.code), "Message": error.message, "SenderFault": True}
