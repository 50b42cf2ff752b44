"""What carries messages and events reads by index, in its order: no statement looks at a whole table, or sorts much.

Every statement of these packages is asked for its plan, so that a new one is held to it, too.
"""

import importlib
import pkgutil
import re
from collections.abc import Awaitable, Callable, Iterator
from types import ModuleType

from mayfly.app.foundations import MIGRATED
from mayfly.store.sqlite import SqliteStore

PACKAGES = (
    "mayfly.services.events",
    "mayfly.services.pipes",
    "mayfly.services.queues",
    "mayfly.services.schedules",
    "mayfly.services.topics",
    "mayfly.ticker",
)
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\s")
PARAMETER = re.compile(r":(\w+)")

# Those that may, and why it is little.
EXCUSED = {
    "events.connection_records.CONNECTIONS_IN_STATE": "connections in a state that lasts a moment",
    "events.statements.FIND_GARBAGE": "the first archive that was deleted and is not gone yet",
    "pipes.statements.COUNT": "the index of pipes, of which an operator's limit allows some hundreds",
    "queues.statements.ACTIVE_TASKS": "tasks that are under way",
    "queues.statements.ANY_TRASH": "the first store that was purged and is not gone yet",
    "queues.statements.COUNT_IN_FLIGHT": "at most so many entries as the inner query lets through",
    "queues.statements.FORGET_DELETED": "names that were deleted in the last minutes",
    "queues.statements.FORGET_TASKS": "message move tasks of a week",
    "queues.statements.TASKS_OF_SOURCE": "tasks that began in the same millisecond",
    "schedules.statements.COUNT_GROUPS": "the index of groups, of which a limit allows some hundreds",
    "schedules.statements.FIND_DELETING": "groups, of which a limit allows some hundreds",
    "topics.statements.COUNT_SUBSCRIPTIONS": "the subscriptions of one topic, by two values",
    "topics.statements.LEFT_ARCHIVE": "the first topic that was deleted and whose archive is not gone yet",
}


def modules() -> Iterator[ModuleType]:
    for name in PACKAGES:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            yield importlib.import_module(found.name)


def statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for module in modules():
        for name, value in vars(module).items():
            if not name.isupper() or name.startswith("_"):
                continue
            texts = value if isinstance(value, tuple) else (value,)
            for number, text in enumerate(texts):
                if isinstance(text, str) and STATEMENT.match(text):
                    suffix = f"[{number}]" if isinstance(value, tuple) else ""
                    found[f"{module.__name__}.{name}{suffix}".removeprefix("mayfly.").removeprefix("services.")] = text
    return found


async def test_no_statement_reads_a_whole_table_or_sorts_what_it_reads(
    open_store: Callable[..., Awaitable[SqliteStore]],
) -> None:
    store = await open_store(*MIGRATED)
    asked = statements()
    assert len(asked) > 150, "they were found"
    wrong: dict[str, list[str]] = {}
    for name, text in asked.items():
        params = dict.fromkeys(PARAMETER.findall(text), 1)

        def body(reader: object, text: str = text, params: dict[str, int] = params) -> list[str]:
            return [row[3] for row in reader.all(f"EXPLAIN QUERY PLAN {text}", params)]  # type: ignore[attr-defined]

        bad = [step for step in await store.read(body) if step.startswith("SCAN") or "TEMP B-TREE" in step]
        if bad:
            wrong[name] = bad
    assert {name: steps for name, steps in wrong.items() if name not in EXCUSED} == {}
    assert EXCUSED.keys() <= asked.keys(), "nothing is excused that is not there"
