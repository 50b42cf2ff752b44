"""The work in the background."""

import asyncio
from typing import Any

from mayfly.clock import ManualClock
from mayfly.services.tables.service import TablesService

from .conftest import Tables

ROWS = "SELECT (SELECT COUNT(*) FROM tables_items) + (SELECT COUNT(*) FROM tables_garbage)"


async def fill(tables: Tables, count: int) -> None:
    for start in range(0, count, 25):
        puts = [{"PutRequest": {"Item": {"id": {"S": f"k{number}"}}}} for number in range(start, start + 25)]
        await tables.call("BatchWriteItem", RequestItems={"things": puts})


async def test_the_running_task_removes_the_rows_of_a_deleted_table(open_store: Any, clock: ManualClock) -> None:
    store = await open_store("mayfly.services.tables")
    tables = Tables(TablesService(store, clock))
    await tables.make()
    await fill(tables, 250)
    async with asyncio.timeout(60):
        task = asyncio.create_task(tables.service.run())
        await tables.call("DeleteTable", TableName="things")
        while (await store.read(lambda reader: reader.one(ROWS)))[0]:
            pass
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def test_what_was_left_over_when_the_platform_stopped_is_done_after_the_next_start(
    open_store: Any, clock: ManualClock
) -> None:
    store = await open_store("mayfly.services.tables")
    before = Tables(TablesService(store, clock))
    await before.make()
    await fill(before, 150)
    await before.call("DeleteTable", TableName="things")
    await before.make()
    await before.call("PutItem", TableName="things", Item={"id": {"S": "mine"}})
    await store.close()
    store = await open_store("mayfly.services.tables")
    after = Tables(TablesService(store, clock))
    await after.service.maintenance.settle()
    assert await store.read(lambda reader: reader.one(ROWS)) == (1,)
    assert await after.item("mine") == {"id": {"S": "mine"}}
