"""How SQLite carries out the statements of tasks: by index seeks, in order, however many tasks there are."""

import re

import pytest

from mayfly.services.functions.tasks import statements as sql
from tests.services.functions.stage import Stage

TABLE = "functions_tasks"
IN_ORDER = f"SEARCH {TABLE} USING INDEX functions_tasks_in_order"
OF_BATCH = f"SEARCH {TABLE} USING INDEX functions_tasks_of_batch"
BY_ITEM = f"SEARCH {TABLE} USING INTEGER PRIMARY KEY"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (sql.CONCLUDE, f"{BY_ITEM} (rowid=?)"),
        (sql.BEFORE, f"{BY_ITEM} (rowid=?)"),
        (sql.PROGRESS, f"{BY_ITEM} (rowid=?)"),
        (sql.AGAIN, f"{BY_ITEM} (rowid=?)"),
        (sql.FORGET, f"{BY_ITEM} (rowid=?)"),
        (sql.BY_ITEM, f"{BY_ITEM} (rowid=?)"),
        (sql.NEWEST, f"{BY_ITEM} (rowid<?)"),
        (sql.OLDEST, f"{BY_ITEM} (rowid>?)"),
        (sql.FIND, f"SEARCH {TABLE} USING INDEX functions_tasks_by_id (id=?)"),
        (sql.IDS_BETWEEN, f"SEARCH {TABLE} USING COVERING INDEX functions_tasks_by_id (id>? AND id<?)"),
        (sql.NEWEST_OF_FUNCTION, f"{IN_ORDER} (name=? AND state=? AND item<?)"),
        (sql.NEWEST_OF_BATCH, f"{OF_BATCH} (batch=? AND state=? AND item<?)"),
        (sql.ITEMS_OF_FUNCTION, f"{IN_ORDER} (name=? AND state=? AND item>?)".replace("USING", "USING COVERING")),
        (sql.ITEMS_OF_BATCH, f"{OF_BATCH} (batch=? AND state=? AND item>?)".replace("USING", "USING COVERING")),
        (sql.COUNTS_OF_FUNCTION, f"{IN_ORDER} (name=?)".replace("USING", "USING COVERING")),
        (sql.COUNTS_OF_BATCH, f"{OF_BATCH} (batch=?)".replace("USING", "USING COVERING")),
        (sql.BATCH_EXISTS, f"{OF_BATCH} (batch=?)".replace("USING", "USING COVERING")),
        (sql.OVERDUE, f"SEARCH {TABLE} USING INDEX functions_tasks_by_deadline (deadline>? AND deadline<?)"),
    ],
)
async def test_a_statement_is_an_index_seek_without_a_sort(stage: Stage, statement: str, expected: str) -> None:
    names = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    steps = await stage.store.read(lambda reader: reader.all(f"EXPLAIN QUERY PLAN {statement}", names))
    assert [step[3] for step in steps] == [expected]
