"""Topics: their lives, attributes and tags."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from mayfly.clock import Clock
from mayfly.services import page_tokens
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.topics import catalog as rows
from mayfly.services.topics import faults, names, topic_attributes
from mayfly.services.topics.catalog import Catalog, Found
from mayfly.services.topics.model import MAX_MESSAGE_BYTES, MAX_TAGS, PAGE, URLS, Topic
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_sns import type_defs as sns

_MOST_LARGE_SUBSCRIPTIONS = 100  # of a topic whose messages may be larger than usual


class TopicOperations:
    """Topics."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    @operation("CreateTopic")
    async def create(self, context: RequestContext, request: "sns.CreateTopicInputTypeDef") -> dict[str, Any]:
        """A new topic, or the one of that name if it is as asked for."""
        given = dict(request.get("Attributes", {}))
        fifo = _is_fifo(request["Name"], given.pop("FifoTopic", None))
        name = names.checked_name(request["Name"], fifo)
        if request.get("DataProtectionPolicy"):
            raise faults.unserved("DataProtectionPolicy Reason: Mayfly does not implement data protection policies")
        attributes = {key: topic_attributes.checked(fifo, key, value) for key, value in given.items()}
        kept = {key: value for key, value in attributes.items() if value is not None}
        tags = _tags(request.get("Tags", ()))
        now = self._clock.now()

        def body(tx: Tx) -> Topic:
            found = self._catalog.find(tx, context.account, context.region, name)
            if found is not None:
                if not topic_attributes.same(found.topic, kept):
                    raise faults.invalid("Attributes Reason: Topic already exists with different attributes")
                if tags and tags != found.topic.tags:
                    raise faults.invalid("Tags Reason: Topic already exists with different tags")
                return found.topic
            return self._catalog.add(
                tx,
                lambda topic_id: Topic(
                    topic_id,
                    context.account,
                    context.region,
                    name,
                    now,
                    fifo=fifo,
                    attributes=kept,
                    tags=tags,
                    archived_since=now if "ArchivePolicy" in kept else None,
                ),
            )

        return {"TopicArn": (await self._store.write(body)).arn}

    @operation("DeleteTopic")
    async def delete(self, context: RequestContext, request: "sns.DeleteTopicInputTypeDef") -> dict[str, Any]:
        """A topic that is not there is no error."""
        name = names.topic_name(context, request["TopicArn"])

        def body(tx: Tx) -> None:
            found = self._catalog.find(tx, context.account, context.region, name)
            if found is None:
                return
            if "ArchivePolicy" in found.topic.attributes:
                raise ServiceError(
                    "InvalidStateException", "Invalid state: a topic with an ArchivePolicy cannot be deleted"
                )
            self._catalog.remove(tx, found.topic)

        await self._store.write(body)
        return {}

    @operation("ListTopics")
    async def list(self, context: RequestContext, request: "sns.ListTopicsInputTypeDef") -> dict[str, Any]:
        """A hundred at a time, in order of names."""
        after = page_tokens.after(request.get("NextToken") or None, faults.bad_token)
        found = await self._store.read(lambda reader: self._catalog.page(reader, context, after, PAGE + 1))
        reply: dict[str, Any] = {"Topics": [{"TopicArn": context.arn("sns", name)} for _, name in found[:PAGE]]}
        if len(found) > PAGE:
            reply["NextToken"] = page_tokens.encode(found[PAGE - 1][1])
        return reply

    @operation("GetTopicAttributes")
    async def get_attributes(
        self, context: RequestContext, request: "sns.GetTopicAttributesInputTypeDef"
    ) -> dict[str, Any]:
        """All of them."""

        def body(reader: Reader) -> dict[str, str]:
            topic = self._catalog.require(reader, context, request["TopicArn"]).topic
            confirmed, pending = rows.count(reader, topic.id)
            return topic_attributes.shown(topic, confirmed, pending, self._clock.now())

        return {"Attributes": await self._store.read(body)}

    @operation("SetTopicAttributes")
    async def set_attributes(
        self, context: RequestContext, request: "sns.SetTopicAttributesInputTypeDef"
    ) -> dict[str, Any]:
        """One of them; an empty value takes it away where that makes sense."""
        name, value = request["AttributeName"], request.get("AttributeValue", "")

        def body(tx: Tx) -> None:
            topic = self._catalog.require(tx, context, request["TopicArn"]).topic
            kept = topic_attributes.checked(topic.fifo, name, value)
            attributes = {key: one for key, one in topic.attributes.items() if key != name}
            if kept is not None:
                attributes[name] = kept
            since = topic.archived_since
            if name == "ArchivePolicy":
                since = None if kept is None else since or self._clock.now()
            changed = replace(topic, attributes=attributes, archived_since=since)
            if changed.max_bytes > MAX_MESSAGE_BYTES:
                _check_large(rows.subscriptions(tx, topic.id, 0, _MOST_LARGE_SUBSCRIPTIONS + 1))
            self._catalog.change(tx, changed)

        await self._store.write(body)
        return {}

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "sns.TagResourceRequestTypeDef") -> dict[str, Any]:
        """Add tags, in place of those with equal keys."""
        tags = _tags(request["Tags"])

        def body(tx: Tx) -> None:
            topic = self._tagged(tx, context, request["ResourceArn"]).topic
            merged = {**topic.tags, **tags}
            if len(merged) > MAX_TAGS:
                raise ServiceError(
                    "TagLimitExceededException", "Could not complete request: tag quota of per resource exceeded"
                )
            self._catalog.change(tx, replace(topic, tags=merged))

        await self._store.write(body)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "sns.UntagResourceRequestTypeDef") -> dict[str, Any]:
        """Take tags away; those that are not there are no error."""
        keys = set(request["TagKeys"])

        def body(tx: Tx) -> None:
            topic = self._tagged(tx, context, request["ResourceArn"]).topic
            kept = {key: value for key, value in topic.tags.items() if key not in keys}
            self._catalog.change(tx, replace(topic, tags=kept))

        await self._store.write(body)
        return {}

    @operation("ListTagsForResource")
    async def list_tags(
        self, context: RequestContext, request: "sns.ListTagsForResourceRequestTypeDef"
    ) -> dict[str, Any]:
        """All of them."""
        found = await self._store.read(lambda reader: self._tagged(reader, context, request["ResourceArn"]))
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.topic.tags.items()]}

    def _tagged(self, reader: Reader, context: RequestContext, arn: str) -> Found:
        try:
            return self._catalog.require(reader, context, arn, "ResourceArn")
        except ServiceError as error:
            raise (faults.no_resource() if error.code == "NotFoundException" else error) from error


def _is_fifo(name: str, attribute: str | None) -> bool:
    """Whether a topic is to be a FIFO topic, which its name and an attribute must agree on."""
    if attribute is None or attribute.lower() == "false":
        if name.endswith(".fifo"):
            raise faults.invalid("Topic Name")
        return False
    if attribute.lower() != "true":
        raise faults.invalid(f"FifoTopic Reason: Invalid value [{attribute}]. Must be true or false.")
    return True


def _tags(given: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for tag in given:
        if tag["Key"] in tags:
            raise faults.invalid("Duplicated keys are not allowed.")
        if tag["Key"].lower().startswith("aws:"):
            raise faults.invalid("Tag keys that begin with aws: are reserved")
        tags[tag["Key"]] = tag["Value"]
    if len(tags) > MAX_TAGS:
        raise ServiceError(
            "TagLimitExceededException", "Could not complete request: tag quota of per resource exceeded"
        )
    return tags


def _check_large(found: Iterable[Any]) -> None:
    subscriptions = list(found)
    if len(subscriptions) > _MOST_LARGE_SUBSCRIPTIONS or any(one.protocol in URLS for one in subscriptions):
        raise faults.invalid(
            "MaximumMessageSize Reason: above 262144 bytes a topic has at most 100 subscriptions, all of queues or "
            "functions"
        )
