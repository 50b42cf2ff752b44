"""Tags of buses and rules."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.events import errors, records
from mayfly.services.events import statements as sql
from mayfly.services.events.names import bus_of_arn, rule_of_arn
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events

MAX_TAGS = 50


def checked_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags by key; ValidationException."""
    found: dict[str, str] = {}
    for tag in tags:
        key: str = tag["Key"]
        if key in found:
            raise errors.invalid(f"Duplicate tag key {key}.")
        if key.lower().startswith("aws:"):
            raise errors.invalid("Tag keys starting with aws: are reserved for system use.")
        found[key] = tag["Value"]
    if len(found) > MAX_TAGS:
        raise _too_many()
    return found


def _too_many() -> ServiceError:
    return errors.invalid(f"A resource has at most {MAX_TAGS} tags.")


class TagOperations:
    """By the ARN of what is tagged."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("TagResource")
    async def tag(self, context: RequestContext, request: "events.TagResourceRequestTypeDef") -> dict[str, Any]:
        arn, tags = request["ResourceARN"], checked_tags(request["Tags"])

        def body(tx: Tx) -> None:
            _exists(tx, context, arn)
            records.put_tags(tx, arn, tags)
            if len(records.tags_of(tx, arn)) > MAX_TAGS:
                raise _too_many()

        await self._store.write(body)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, request: "events.UntagResourceRequestTypeDef") -> dict[str, Any]:
        arn = request["ResourceARN"]

        def body(tx: Tx) -> None:
            _exists(tx, context, arn)
            tx.many(sql.DELETE_TAG, [{"arn": arn, "tag": tag} for tag in request["TagKeys"]])

        await self._store.write(body)
        return {}

    @operation("ListTagsForResource")
    async def list_tags(
        self, context: RequestContext, request: "events.ListTagsForResourceRequestTypeDef"
    ) -> dict[str, Any]:
        def body(reader: Reader) -> dict[str, str]:
            _exists(reader, context, request["ResourceARN"])
            return records.tags_of(reader, request["ResourceARN"])

        tags = await self._store.read(body)
        return {"Tags": [{"Key": key, "Value": content} for key, content in tags.items()]}


def _exists(reader: Reader, context: RequestContext, arn: str) -> None:
    """ResourceNotFoundException unless `arn` is one of the caller's buses or rules."""
    rule, bus = rule_of_arn(arn), bus_of_arn(arn)
    if rule is not None and (rule.bus.account, rule.bus.region) == (context.account, context.region):
        records.rule_of(reader, rule.bus, rule.name)
    elif bus is not None and (bus.account, bus.region) == (context.account, context.region):
        records.bus_of(reader, bus)
    elif rule is None and bus is None:
        raise errors.invalid("Parameter ResourceARN is not valid. Reason: it is neither of a rule nor of an event bus.")
    else:
        raise errors.not_found(f"{arn} does not exist.")
