"""Looking at tasks: one, pages of them, how many there are. What runs is what this process has begun."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from mayfly.errors import PlatformError
from mayfly.services.functions.tasks import book
from mayfly.services.functions.tasks import statements as sql
from mayfly.services.functions.tasks.errors import TaskMissingError, TaskRefusedError
from mayfly.services.functions.tasks.held import Held
from mayfly.services.functions.tasks.model import STATES, State, Task, result_use, shown
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Store

MOST_SHOWN = 1000
LOOKED_AT = 2000  # for one page, where few of them may be asked for
RUNNING = "running"
_NEWEST = 2**62

_log = logging.getLogger(__name__)


class Wanted(NamedTuple):
    """Which tasks; None means any."""

    function: str | None = None
    state: str | None = None
    tenant: str | None = None
    batch: str | None = None
    since: float | None = None  # accepted, Unix seconds

    def fits(self, task: Task) -> bool:
        return (
            (self.tenant is None or task.tenant == self.tenant)
            and (self.batch is None or task.batch == self.batch)
            and (self.function is None or task.name == self.function)
            and (self.since is None or task.accepted_at >= self.since)
            and (self.state in (None, RUNNING) or task.state == STATES[self.state or ""])
        )

    @property
    def indexed(self) -> bool:
        """Whether nearly all that is looked at fits."""
        one = (self.function is None) != (self.batch is None) or (self.function, self.batch, self.state) == (None,) * 3
        return one and self.tenant is None and self.since is None


class Views:
    """See the module."""

    def __init__(self, store: Store, held: Mapping[int, Held], vault: Vault) -> None:
        self._store = store
        self._held = held
        self._vault = vault

    async def task(self, task_id: str) -> Task:
        """The row; `TaskMissingError`."""
        found = await self._store.read(lambda reader: book.find(reader, task_id))
        if found is None:
            raise TaskMissingError(task_id)
        return found

    async def one(self, task_id: str) -> dict[str, Any]:
        """A task as it is shown; `TaskMissingError`."""
        return self._shown(await self.task(task_id))

    async def page(self, wanted: Wanted, limit: int, token: str | None) -> dict[str, Any]:
        """The newest tasks first; with `next`, there may be more. `TaskRefusedError`."""
        if wanted.state is not None and wanted.state not in (*STATES, RUNNING):
            raise TaskRefusedError(f"a state is one of {', '.join((*STATES, RUNNING))}, not {wanted.state!r}")
        if token is not None and not (token.isascii() and token.isdecimal() and len(token) < 19):
            raise TaskRefusedError(f"{token!r} is not where a page ended")
        before = _NEWEST if token is None else int(token)
        if wanted.state == RUNNING:
            running = [item for item, held in self._held.items() if held.began_at is not None and item < before]
            found, scanned_to = await self._store.read(lambda reader: _of_items(reader, running)), None
        else:
            most = limit + 1 if wanted.indexed else LOOKED_AT
            found, scanned_to = await self._store.read(lambda reader: _newest(reader, wanted, before, most))
        fitting = [task for task in found if wanted.fits(task) and self._in_state(task, wanted.state)]
        page = fitting[:limit]
        reply: dict[str, Any] = {"tasks": [self._shown(task) for task in page]}
        if len(fitting) > limit:
            reply["next"] = str(page[-1].item)
        elif scanned_to is not None:
            reply["next"] = str(scanned_to)
        return reply

    async def counts(self, *, function: str | None = None, batch: str | None = None) -> dict[str, int]:
        """How many tasks of a function, or of a batch, are in each state."""
        statement, params = (
            (sql.COUNTS_OF_BATCH, {"batch": batch})
            if batch is not None
            else (sql.COUNTS_OF_FUNCTION, {"name": function})
        )
        rows = await self._store.read(lambda reader: reader.all(statement, params))
        counts = {state.name.lower(): 0 for state in State} | {State(row[0]).name.lower(): row[1] for row in rows}
        running = sum(
            held.began_at is not None
            and held.event is not None
            and (held.event.batch == batch if batch is not None else held.event.name == function)
            for held in self._held.values()
        )
        running = min(running, counts["queued"])
        return counts | {"queued": counts["queued"] - running, RUNNING: running}

    def _shown(self, task: Task) -> dict[str, Any]:
        held = self._held.get(task.item) if task.state == State.QUEUED else None
        return shown(self._opened(task), held.began_at if held is not None else None)

    def _opened(self, task: Task) -> Task:
        """With its result readable; without, where the key that it was sealed with is gone."""
        if task.result is None:
            return task
        try:
            result = self._vault.open(task.result, result_use(task.item))
        except PlatformError:
            _log.exception("the result of task %s cannot be read", task.id)
            return replace(task, result=None)
        return replace(task, result=result)

    def _in_state(self, task: Task, state: str | None) -> bool:
        if state != "queued":
            return True
        held = self._held.get(task.item)
        return held is None or held.began_at is None


def _newest(reader: Reader, wanted: Wanted, before: int, most: int) -> tuple[list[Task], int | None]:
    """At most so many candidates for a page, newest first; the item of the last, if there may be more behind it."""
    params: dict[str, Any] = {"before": before, "count": most}
    states = list(State) if wanted.state is None else [STATES[wanted.state]]
    if wanted.batch is not None:
        rows = _merged(reader, sql.NEWEST_OF_BATCH, params | {"batch": wanted.batch}, states)
    elif wanted.function is not None:
        rows = _merged(reader, sql.NEWEST_OF_FUNCTION, params | {"name": wanted.function}, states)
    else:
        rows = [Task(*row) for row in reader.all(sql.NEWEST, params)]
    return rows, rows[-1].item if len(rows) == most else None


def _merged(reader: Reader, statement: str, params: Mapping[str, Any], states: Iterable[State]) -> list[Task]:
    found = [Task(*row) for state in states for row in reader.all(statement, {**params, "state": int(state)})]
    found.sort(key=lambda task: -task.item)
    return found[: params["count"]]


def _of_items(reader: Reader, items: Iterable[int]) -> list[Task]:
    rows = (reader.one(sql.BY_ITEM, {"item": item}) for item in sorted(items, reverse=True))
    return [Task(*row) for row in rows if row is not None]
