"""Swapping code over HTTP, below `/_mayfly/dev`: what `mayfly dev` speaks to. For the account's root key.

    GET    /dev/NAME    what $LATEST of a function runs on: {"base", "deployed", "swaps"}
    POST   /dev/NAME    have it run something else: {"base", "archive": a zip in base64, "removed": ["a.py"]}
    DELETE /dev/NAME    have it run what is deployed

`base` of a change is what the answer before it said. One of something else is answered with 409 and the current base.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import unquote

import msgspec

from mayfly.app import own
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.functions.development.sessions import Change, Development, StaleBaseError, UnswappableError
from mayfly.wire.signed import SignedRequests

PAGE = "/_mayfly/dev/"
MOST_BODY = 96 << 20  # beyond that, a deployment is what serves


class DevelopmentPages:
    """See the module. `settled` returns when a change is known wherever calls are answered."""

    def __init__(
        self, signed: SignedRequests, development: Development, settled: Callable[[], Awaitable[None]]
    ) -> None:
        self._signed = signed
        self._development = development
        self._settled = settled

    def table(self) -> Mapping[str, Callable[[HttpRequest], Awaitable[HttpResponse]]]:
        """Pages by the path segment below `/_mayfly/`."""
        return {"dev": self.answer}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request of any method."""
        try:
            body = await own.small_body(request, MOST_BODY)
            if refused := await own.refusal(self._signed, request, body):
                return refused
            name = unquote(request.path.removeprefix(PAGE))
            if not name or "/" in name:
                return own.said(404, f"which function? write {PAGE}NAME")
            return await self._answer(request.method, name, body)
        except ServiceError as error:
            missing = error.code == "ResourceNotFoundException"
            return own.said(error.status or (404 if missing else 400), error.message)
        except StaleBaseError as error:
            return own.shown({"message": str(error), "base": error.current}, 409)
        except own.BodyTooLargeError as error:
            return own.said(413, str(error), close=True)
        except (UnswappableError, msgspec.DecodeError) as error:
            return own.said(400, str(error))

    async def _answer(self, method: str, name: str, body: bytes) -> HttpResponse:
        match method:
            case "GET":
                return own.shown(await self._development.standing(name))
            case "POST":
                standing = await self._development.swap(name, msgspec.json.decode(body, type=Change))
                await self._settled()
                return own.shown(standing)
            case "DELETE":
                await self._development.end(name)
                await self._settled()
                return own.shown({})
        return own.said(405, "there are GET, POST and DELETE")
