"""The page `/_mayfly/level`: what the account requires of the isolation of its functions. For its root key.

GET shows it; PUT with `?required=LEVEL` changes it, once this machine was found to give that level; DELETE ends it.
"""

from typing import Any
from urllib.parse import parse_qs

import msgspec

from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.functions.service import FunctionsService
from mayfly.wire.signed import NotSignedError, SignedRequests

SERVICE = "mayfly"


class LevelPage:
    """The page."""

    def __init__(self, signed: SignedRequests, functions: FunctionsService) -> None:
        self._signed = signed
        self._functions = functions

    async def answer(self, request: HttpRequest) -> HttpResponse:
        try:
            principal = await self._signed.principal(request, b"", SERVICE)
        except NotSignedError as error:
            return _json(403, {"message": f"Access denied: {error}."})
        if principal.kind != "root":
            return _json(403, {"message": "Access denied: only the account's root key may see this."})
        if request.method not in {"GET", "PUT", "DELETE"}:
            return _json(405, {"message": "GET shows the level, PUT requires one, DELETE requires none"})
        if request.method != "GET":
            asked = parse_qs(request.query).get("required", [""])[0]
            if request.method == "PUT" and not asked:
                return _json(400, {"message": "which level? write ?required=LEVEL"})
            try:
                await self._functions.require_level(asked if request.method == "PUT" else None)
            except ServiceError as error:
                return _json(400, {"message": error.message})
        levels = self._functions.levels
        return _json(200, {"platform": levels.platforms, "account": levels.accounts})


def _json(status: int, value: Any) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], msgspec.json.encode(value))
