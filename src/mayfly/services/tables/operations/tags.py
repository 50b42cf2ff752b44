"""Tags of tables."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mayfly.ids import Arn
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.tables import statements
from mayfly.services.tables.catalog import Catalog
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.model import Table
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import (
        ListTagsOfResourceInputTypeDef,
        TagResourceInputTypeDef,
        UntagResourceInputTypeDef,
    )

MAX_TAGS = 50
PAGE = 10  # what DynamoDB answers at a time


def checked_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Tags by key; `InvalidError` for a key that comes twice or is AWS's own."""
    found: dict[str, str] = {}
    for tag in tags:
        key = tag["Key"]
        if key in found:
            raise InvalidError(f"Duplicate tag key found in request: {key}")
        if key.lower().startswith("aws:"):
            raise InvalidError("Tag keys starting with aws: are reserved for system use")
        found[key] = tag["Value"]
    return found


def put_tags(tx: Tx, table: Table, tags: Mapping[str, str]) -> None:
    """Give a table tags, in place of those with equal keys; `InvalidError` above the limit."""
    if not tags:
        return
    tx.many(statements.PUT_TAG, [{"table_id": table.id, "tag": key, "content": tags[key]} for key in tags])
    row = tx.one(statements.COUNT_TAGS, {"table_id": table.id})
    if row is not None and row[0] > MAX_TAGS:
        raise InvalidError(f"One or more parameter values were invalid: Too many tags: the limit is {MAX_TAGS}")


class TagOperations:
    """Handlers of operations on tags."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def _tagged(self, reader: Reader, context: RequestContext, arn: str) -> Table:
        try:
            parsed = Arn.parse(arn)
        except ValueError:
            raise InvalidError(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}") from None
        table = self._catalog.find(reader, context, arn)
        if table is None or (parsed.account, parsed.region) != (table.account, table.region):
            raise ServiceError(
                "ResourceNotFoundException", f"Requested resource not found: ResourcArn: {arn} not found"
            )
        return table

    @operation("TagResource")
    async def tag_resource(self, context: RequestContext, request: "TagResourceInputTypeDef") -> dict[str, Any]:
        """Add tags."""
        tags = checked_tags(request["Tags"])
        if not tags:
            raise InvalidError("Atleast one Tag needs to be provided as Input.")

        def body(tx: Tx) -> None:
            put_tags(tx, self._tagged(tx, context, request["ResourceArn"]), tags)

        await self._store.write(body)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, context: RequestContext, request: "UntagResourceInputTypeDef") -> dict[str, Any]:
        """Remove tags; those that are not there are no error."""
        if not request["TagKeys"]:
            raise InvalidError("Atleast one Tag Key needs to be provided as Input.")

        def body(tx: Tx) -> None:
            table = self._tagged(tx, context, request["ResourceArn"])
            tx.many(statements.DELETE_TAG, [{"table_id": table.id, "tag": key} for key in request["TagKeys"]])

        await self._store.write(body)
        return {}

    @operation("ListTagsOfResource")
    async def list_tags_of_resource(
        self, context: RequestContext, request: "ListTagsOfResourceInputTypeDef"
    ) -> dict[str, Any]:
        """Tags in order of their keys, a page at a time."""

        def body(reader: Reader) -> dict[str, Any]:
            table = self._tagged(reader, context, request["ResourceArn"])
            params = {"table_id": table.id, "after": request.get("NextToken", ""), "limit": PAGE + 1}
            rows = reader.all(statements.LIST_TAGS, params)
            reply: dict[str, Any] = {"Tags": [{"Key": key, "Value": content} for key, content in rows[:PAGE]]}
            if len(rows) > PAGE:
                reply["NextToken"] = rows[PAGE - 1][0]
            return reply

        return await self._store.read(body)
