"""Asking the services in process, in the name of the platform itself, for what Mayfly's own pages show."""

from collections.abc import Mapping
from typing import Any

from mayfly import ids
from mayfly.services.contract import Principal, RequestContext
from mayfly.services.ports import Operations
from mayfly.settings import Settings


class Asking:
    """Operations of lambda, and what they answer page by page."""

    def __init__(self, operations: Operations, settings: Settings, url: str) -> None:
        self._operations = operations
        self._settings = settings
        self._url = url

    async def ask(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One reply; `ServiceError`."""
        account = self._settings.account
        principal = Principal("service", account, f"arn:aws:iam::{account}:root", account)
        context = RequestContext(ids.request_id(), account, self._settings.region, principal, self._url)
        return await self._operations.call(context, "lambda", operation, request)

    async def all(self, operation: str, member: str, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What is listed under `member` on all pages; `ServiceError`."""
        found: list[dict[str, Any]] = []
        page = await self.ask(operation, request)
        found += page[member]
        while page.get("NextMarker"):
            page = await self.ask(operation, {**request, "Marker": page["NextMarker"]})
            found += page[member]
        return found
