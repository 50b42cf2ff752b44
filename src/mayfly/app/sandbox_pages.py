"""Sandboxes over HTTP, below `/_mayfly/sandboxes`: what `mayfly sandbox` speaks to. For the account's root key.

    GET    /sandboxes                          all of them
    POST   /sandboxes                          make one (model.Wanted as JSON)
    GET    /sandboxes/ID                       one of them
    DELETE /sandboxes/ID                       end and forget it
    POST   /sandboxes/ID/freeze, thaw, fork
    POST   /sandboxes/ID/snapshot              keep its files: {"label": "…"}
    POST   /sandboxes/ID/processes             start one (model.Start as JSON)
    GET    /sandboxes/ID/processes/N/output    what it writes, as it does, and how it ends: a JSON object a line
    POST   /sandboxes/ID/processes/N/input     to its standard input; with `?end=1` nothing follows
    POST   /sandboxes/ID/processes/N/signal    {"signal": 15}
    PUT    /sandboxes/ID/files?path=/tmp       unpack the body, a tar file, below a directory
    GET    /sandboxes/ID/files?path=/tmp/x     a tar file of what is there
    GET    /sandboxes/snapshots                all snapshots
    DELETE /sandboxes/snapshots/ID             forget one

A line of output is {"stream": "stdout" or "stderr", "data": base64}, the last one {"exit": {"code", "signal" or
"error"}}.
Output is read once: what nobody reads waits, and so does the process.
"""

import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from mayfly.app import own
from mayfly.errors import PlatformError
from mayfly.images.errors import ImageError, ImageNotFoundError
from mayfly.sandboxes.model import Ending, SandboxEndedError, SandboxMissingError, SandboxRefusedError, Start, Wanted
from mayfly.sandboxes.processes import Process
from mayfly.sandboxes.service import Sandboxes
from mayfly.services.contract import HttpRequest, HttpResponse, StreamBody
from mayfly.wire.signed import SignedRequests

MOST_BODY = 1 << 20  # of a request that is JSON, or input
_T = TypeVar("_T")


class _Label(msgspec.Struct, forbid_unknown_fields=True):
    label: str = ""


class _Signal(msgspec.Struct, forbid_unknown_fields=True):
    signal: int


class SandboxPages:
    """See the module."""

    def __init__(self, signed: SignedRequests, sandboxes: Sandboxes) -> None:
        self._signed = signed
        self._sandboxes = sandboxes

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"sandboxes": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        try:
            body = await self._body(request)
            if refused := await own.refusal(self._signed, request, body):
                return refused
            parts = [part for part in request.path.split("/") if part][2:]
            return await self._answer(request, parts, body or b"")
        except (SandboxMissingError, ImageNotFoundError) as error:
            return own.said(404, str(error))
        except SandboxEndedError as error:
            return own.said(409, str(error), close=True)
        except (SandboxRefusedError, ImageError, own.AlteredBodyError, msgspec.DecodeError) as error:
            return own.said(400, str(error), close=True)
        except PlatformError as error:
            return own.said(503, str(error), close=True)

    async def _answer(self, request: HttpRequest, parts: list[str], body: bytes) -> HttpResponse:
        match request.method, parts:
            case "GET", []:
                return own.shown({"sandboxes": self._sandboxes.all()})
            case "POST", []:
                return own.shown(await self._sandboxes.make(_read(body, Wanted)))
            case "GET", ["snapshots"]:
                return own.shown({"snapshots": await self._sandboxes.snapshots()})
            case "DELETE", ["snapshots", snapshot_id]:
                await self._sandboxes.remove_snapshot(snapshot_id)
                return own.shown({})
            case "GET", [sandbox_id]:
                return own.shown(self._sandboxes.view(sandbox_id))
            case "DELETE", [sandbox_id]:
                await self._sandboxes.remove(sandbox_id)
                return own.shown({})
            case "POST", [sandbox_id, "processes"]:
                return _started(await self._sandboxes.start(sandbox_id, _read(body, Start)))
            case _, [sandbox_id, "processes", number, *what] if number.isdecimal():
                return await self._of_process(request, sandbox_id, int(number), what, body)
            case _, [sandbox_id, "files"]:
                return await self._files(request, sandbox_id)
            case "POST", [sandbox_id, what]:
                return await self._change(sandbox_id, what, body)
        return _nothing(request)

    async def _change(self, sandbox_id: str, what: str, body: bytes) -> HttpResponse:
        match what:
            case "freeze":
                return own.shown(self._sandboxes.freeze(sandbox_id))
            case "thaw":
                return own.shown(self._sandboxes.thaw(sandbox_id))
            case "fork":
                return own.shown(await self._sandboxes.fork(sandbox_id))
            case "snapshot":
                return own.shown(await self._sandboxes.snapshot(sandbox_id, _read(body or b"{}", _Label).label))
        return own.said(404, f"a sandbox has no {what}; there are freeze, thaw, fork, snapshot, processes and files")

    async def _of_process(
        self, request: HttpRequest, sandbox_id: str, number: int, what: list[str], body: bytes
    ) -> HttpResponse:
        process = self._sandboxes.process(sandbox_id, number)
        match request.method, what:
            case "GET", ["output"]:
                return HttpResponse(
                    200, [("content-type", "application/x-ndjson")], StreamBody(self._lines(sandbox_id, process))
                )
            case "POST", ["input"]:
                with contextlib.suppress(BrokenPipeError):  # it reads no more, as when a shell's pipe has ended
                    await process.write(body)
                if parse_qs(request.query).get("end") == ["1"]:
                    process.end_input()
                return own.shown({})
            case "POST", ["signal"]:
                self._sandboxes.signal(sandbox_id, number, _read(body, _Signal).signal)
                return own.shown({})
        return _nothing(request)

    async def _lines(self, sandbox_id: str, process: Process) -> AsyncIterator[bytes]:
        async with contextlib.aclosing(process.output()) as output:
            async for part in output:
                data = base64.b64encode(part.data).decode()
                yield msgspec.json.encode({"stream": part.stream, "data": data}) + b"\n"
        ending = await process.ended
        if ending.error is not None:
            ending = Ending(error=await self._sandboxes.fate(sandbox_id) or ending.error)
        yield msgspec.json.encode({"exit": ending}) + b"\n"

    async def _files(self, request: HttpRequest, sandbox_id: str) -> HttpResponse:
        places = parse_qs(request.query).get("path", [])
        if len(places) != 1 or not places[0].startswith("/"):
            return own.said(400, "which place? say ?path=/…", close=True)
        if request.method == "PUT":
            await self._sandboxes.put(sandbox_id, places[0], own.verified(request))
            return own.shown({})
        if request.method != "GET":
            return _nothing(request)
        archive = self._sandboxes.get(sandbox_id, places[0])
        first = await anext(archive, b"")  # what cannot be read is refused before the answer begins

        async def whole() -> AsyncIterator[bytes]:
            yield first
            async with contextlib.aclosing(archive):
                async for part in archive:
                    yield part

        return HttpResponse(200, [("content-type", "application/x-tar")], StreamBody(whole()))

    async def _body(self, request: HttpRequest) -> bytes | None:
        """The body where it is small; None where it is files, which are checked as they arrive."""
        if request.method == "PUT":
            return None
        if request.content is not None:
            return request.content
        body = bytearray()
        async for chunk in request.body:
            body += chunk
            if len(body) > MOST_BODY:
                raise SandboxRefusedError(f"a body is at most {MOST_BODY} bytes here")
        return bytes(body)


def _read(body: bytes, kind: type[_T]) -> _T:
    return msgspec.json.decode(body, type=kind)


def _started(process: Process) -> HttpResponse:
    shown: dict[str, object] = {"process": process.number}
    if process.ended.done() and process.ended.result().error is not None:
        shown["exit"] = process.ended.result()  # it could not be started
    return own.shown(shown)


def _nothing(request: HttpRequest) -> HttpResponse:
    return own.said(404, f"there is no {request.method} {request.path}")
