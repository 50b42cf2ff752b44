"""Tables on a real store, called as the wire calls them."""

from typing import Any

import pytest

from mayfly.clock import ManualClock
from mayfly.services.contract import ANONYMOUS, RequestContext, ServiceError
from mayfly.services.tables.service import TablesService
from mayfly.store.sqlite import SqliteStore


class Tables:
    """Operations by name, with the context of one caller."""

    def __init__(self, service: TablesService, region: str = "us-east-1") -> None:
        self.service = service
        self.context = RequestContext("request-1", "000000000000", region, ANONYMOUS, "http://127.0.0.1:4566")

    async def call(self, name: str, **request: Any) -> dict[str, Any]:
        """The reply."""
        reply: dict[str, Any] = await self.service.operations[name](self.context, request)
        return reply

    async def refused(self, name: str, **request: Any) -> ServiceError:
        """The error of a call that must fail."""
        with pytest.raises(ServiceError) as caught:
            await self.call(name, **request)
        return caught.value

    async def make(self, name: str = "things", range_type: str | None = None, **more: Any) -> dict[str, Any]:
        """A table with the hash key `id` (S) and, if asked for, the range key `at`."""
        attributes = [{"AttributeName": "id", "AttributeType": "S"}]
        schema = [{"AttributeName": "id", "KeyType": "HASH"}]
        if range_type is not None:
            attributes.append({"AttributeName": "at", "AttributeType": range_type})
            schema.append({"AttributeName": "at", "KeyType": "RANGE"})
        attributes += more.pop("attributes", [])
        reply = await self.call(
            "CreateTable",
            **{
                "TableName": name,
                "AttributeDefinitions": attributes,
                "KeySchema": schema,
                "BillingMode": "PAY_PER_REQUEST",
                **more,
            },
        )
        description: dict[str, Any] = reply["TableDescription"]
        return description

    async def item(self, key: str, table: str = "things") -> dict[str, Any] | None:
        """The item with the hash key `key` of a table without range key."""
        return (await self.call("GetItem", TableName=table, Key={"id": {"S": key}})).get("Item")


@pytest.fixture
async def tables(open_store: Any, clock: ManualClock) -> Tables:
    store: SqliteStore = await open_store("mayfly.services.tables")
    return Tables(TablesService(store, clock))
