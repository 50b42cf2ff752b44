"""The page `/_mayfly/level`: what the account requires of the isolation of its functions. For its root key.

GET shows it; PUT with `?required=LEVEL` changes it, once this machine was found to give that level; DELETE ends it.
"""

from urllib.parse import parse_qs

from mayfly.app import own
from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError
from mayfly.services.functions.service import FunctionsService
from mayfly.wire.signed import SignedRequests


class LevelPage:
    """The page."""

    def __init__(self, signed: SignedRequests, functions: FunctionsService) -> None:
        self._signed = signed
        self._functions = functions

    async def answer(self, request: HttpRequest) -> HttpResponse:
        if refused := await own.refusal(self._signed, request, b""):
            return refused
        if request.method not in {"GET", "PUT", "DELETE"}:
            return own.said(405, "GET shows the level, PUT requires one, DELETE requires none")
        if request.method != "GET":
            asked = parse_qs(request.query).get("required", [""])[0]
            if request.method == "PUT" and not asked:
                return own.said(400, "which level? write ?required=LEVEL")
            try:
                await self._functions.require_level(asked if request.method == "PUT" else None)
            except ServiceError as error:
                return own.said(400, error.message)
        levels = self._functions.levels
        return own.shown({"platform": levels.platforms, "account": levels.accounts})
