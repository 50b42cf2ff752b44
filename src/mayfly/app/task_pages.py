"""Asynchronous invocations as tasks over HTTP, below `/_mayfly/tasks`: what `mayfly tasks` speaks to.

    GET    /tasks?function=&state=&tenant=&batch=&since=&limit=&after=    a page, the newest first
    POST   /tasks                        one task, a JSON object, or a batch: application/x-ndjson, a task a line, with
                                         ?function=&priority=&deadline=&tenant= for lines that do not say, and ?batch=
    GET    /tasks/ID                     one of them, with its result and its failed attempts
    POST   /tasks/ID/stop, redrive
    POST   /tasks/ID/progress            {"done": 3, "total": 10, "message": "…"}; for the function that runs it, too
    GET    /tasks/counts?batch= or ?function=                              how many are in each state
    POST   /tasks/stop                   {"function": …} or {"batch": …}: all that wait or run
    POST   /tasks/redrive                {"function": …, "states": ["failed"]}
    GET    /tasks/shares                 tenants whose weight is not 1
    PUT    /tasks/shares/TENANT          {"weight": 2}

All but progress is for the account's root key. A batch is written to a file first, so that nothing of it is accepted
before its signature was found to be right, and every line of it.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import parse_qs, unquote

import msgspec

from mayfly import ids
from mayfly.app import own
from mayfly.errors import PlatformError
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.functions.tasks.desk import TaskDesk
from mayfly.services.functions.tasks.errors import (
    NotItsFunctionError,
    TaskMissingError,
    TaskRefusedError,
    TaskStateError,
)
from mayfly.services.functions.tasks.model import STATES, State
from mayfly.services.functions.tasks.submitting import Line, Lines
from mayfly.services.functions.tasks.views import MOST_SHOWN, Wanted
from mayfly.wire.signed import NotSignedError, SignedRequests

MOST_BODY = 8 << 20  # of one task
MOST_BATCH = 256 << 20
NDJSON = "application/x-ndjson"
_SPOOLED = 1 << 20  # written to the file at a time
_T = TypeVar("_T")


class _Which(msgspec.Struct, forbid_unknown_fields=True):
    function: str | None = None
    batch: str | None = None


class _Redrive(msgspec.Struct, forbid_unknown_fields=True):
    function: str
    states: tuple[str, ...] = ("failed",)


class _Weight(msgspec.Struct, forbid_unknown_fields=True):
    weight: float


class TaskPages:
    """See the module."""

    def __init__(self, signed: SignedRequests, desk: TaskDesk, spool: Path) -> None:
        """Batches are written to files without a name in `spool`."""
        self._signed = signed
        self._desk = desk
        self._spool = spool

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"tasks": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        try:
            return await self._answer(request)
        except TaskMissingError as error:
            return own.said(404, str(error))
        except TaskStateError as error:
            return own.said(409, str(error))
        except NotItsFunctionError as error:
            return own.said(403, f"Access denied: {error}.")
        except (TaskRefusedError, own.AlteredBodyError, msgspec.DecodeError) as error:
            return own.said(400, str(error), close=True)
        except ServiceError as error:
            missing = error.code == "ResourceNotFoundException"
            return own.said(404 if missing else 400, error.message, close=True)
        except PlatformError as error:
            return own.said(503, str(error), close=True)

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        parts = [unquote(part) for part in request.path.split("/") if part][2:]
        if request.method == "POST" and not parts and (request.header("content-type") or "").startswith(NDJSON):
            return await self._batch(request)
        body = await _read(request)
        if request.method == "POST" and len(parts) == 2 and parts[1] == "progress":
            return await self._progress(request, parts[0], body)
        if refused := await own.refusal(self._signed, request, body):
            return refused
        match request.method, parts:
            case "GET", []:
                return await self._page(request)
            case "POST", []:
                id_ = ids.request_id()
                await self._desk.submitting.one(body, id_)
                return own.shown(await self._desk.views.one(id_))
            case "GET", ["counts"]:
                query = _query(request)
                which = _Which(query.get("function"), query.get("batch"))
                return own.shown(await self._desk.views.counts(**_one_of(which)))
            case "POST", ["stop"]:
                return own.shown(await self._desk.stop_all(**_one_of(_decoded(body, _Which))))
            case "POST", ["redrive"]:
                return await self._redrive(_decoded(body, _Redrive))
            case "GET", ["shares"]:
                return own.shown({"shares": await self._desk.shares()})
            case "PUT", ["shares", *tenant] if tenant:
                await self._desk.share("/".join(tenant), _decoded(body, _Weight).weight)
                return own.shown({"shares": await self._desk.shares()})
            case "GET", [task_id]:
                return own.shown(await self._desk.views.one(task_id))
            case "POST", [task_id, "stop"]:
                return own.shown(await self._desk.stop(task_id))
            case "POST", [task_id, "redrive"]:
                return own.shown(await self._desk.redrive(task_id))
        return own.said(404, f"there is no {request.method} {request.path}")

    async def _page(self, request: HttpRequest) -> HttpResponse:
        query = _query(request)
        try:
            limit = int(query.get("limit", "100"))
            since = float(query["since"]) if "since" in query else None
        except ValueError:
            raise TaskRefusedError("limit is a number, since a time in Unix seconds") from None
        if not 1 <= limit <= MOST_SHOWN:
            raise TaskRefusedError(f"limit is a number from 1 to {MOST_SHOWN}, not {limit}")
        wanted = Wanted(query.get("function"), query.get("state"), query.get("tenant"), query.get("batch"), since)
        return own.shown(await self._desk.views.page(wanted, limit, query.get("after")))

    async def _redrive(self, wanted: _Redrive) -> HttpResponse:
        if wrong := [state for state in wanted.states if state not in ("failed", "cancelled", "expired", "succeeded")]:
            raise TaskRefusedError(f"tasks in the state {wrong[0]!r} are not run again")
        states: list[State] = [STATES[state] for state in wanted.states]
        return own.shown(await self._desk.redrive_all(wanted.function, states))

    async def _progress(self, request: HttpRequest, task_id: str, body: bytes) -> HttpResponse:
        try:
            who = await self._signed.principal(request, body, own.SERVICE)
        except NotSignedError as error:
            return own.said(403, f"Access denied: {error}.")
        await self._desk.progress(task_id, body, who)
        return own.shown({})

    async def _batch(self, request: HttpRequest) -> HttpResponse:
        if refused := await own.refusal(self._signed, request, None):
            return refused
        query = _query(request)
        priority = query.get("priority")
        defaults = Line(query.get("function"), deadline=query.get("deadline"), tenant=query.get("tenant"))
        if priority is not None:
            try:
                defaults.priority = int(priority)
            except ValueError:
                raise TaskRefusedError(f"a priority is an integer, not {priority!r}") from None
        with tempfile.TemporaryFile(dir=self._spool) as file:
            await _spooled(request, file)
            made = await self._desk.submitting.submit(Lines(file), defaults, query.get("batch"))
        return own.shown(made._asdict())


async def _spooled(request: HttpRequest, file: IO[bytes]) -> None:
    """Write a body that is checked as it arrives to a file."""
    waiting, size = bytearray(), 0
    async for chunk in own.verified(request):
        waiting += chunk
        size += len(chunk)
        if size > MOST_BATCH:
            raise TaskRefusedError(f"a batch has at most {MOST_BATCH} bytes")
        if len(waiting) >= _SPOOLED:
            await asyncio.to_thread(file.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(file.write, bytes(waiting))


async def _read(request: HttpRequest) -> bytes:
    if request.content is not None:
        return request.content
    body = bytearray()
    async for chunk in request.body:
        body += chunk
        if len(body) > MOST_BODY:
            raise TaskRefusedError(f"a body is at most {MOST_BODY} bytes here")
    return bytes(body)


def _query(request: HttpRequest) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(request.query).items()}


def _one_of(which: _Which) -> dict[str, str]:
    if (which.function is None) == (which.batch is None):
        raise TaskRefusedError("say either a function or a batch")
    return {"function": which.function} if which.function is not None else {"batch": which.batch or ""}


def _decoded(body: bytes, kind: type[_T]) -> _T:
    return msgspec.json.decode(body, type=kind)
