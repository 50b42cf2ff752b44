"""The keys of issuers of tokens: found by OpenID Connect Discovery, fetched, kept, and fetched again when they are old
or lack a key that a token names."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.outgoing.api import OutgoingError, Request, Sender

KEPT_S: Final = 2 * 3600.0
# A token with an unknown key has them fetched again, but not more often than this: anybody can make up such tokens.
AGAIN_S: Final = 10.0
TIMEOUT_S: Final = 5.0
MOST_BYTES: Final = 256 * 1024
MOST_ISSUERS: Final = 1000
WELL_KNOWN: Final = "/.well-known/openid-configuration"
Key = Mapping[str, Any]


class NoKeysError(PlatformError):
    """The keys of an issuer could not be had; the message says why."""


class _Issuer:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.keys: dict[str, Key] = {}
        self.fetched_at = float("-inf")
        self.tried_at = float("-inf")
        self.failure = ""


class KeySets:
    """The keys of all issuers."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._issuers: dict[str, _Issuer] = {}

    async def key(self, issuer: str, key_id: str) -> Key | None:
        """The key of that name; None: the issuer has none; `NoKeysError`."""
        found = self._issuers.get(issuer)
        if found is None:
            if len(self._issuers) >= MOST_ISSUERS:
                self._issuers.clear()
            found = self._issuers[issuer] = _Issuer()
        if self._fresh(found, key_id):
            return found.keys.get(key_id)
        async with found.lock:
            if not self._fresh(found, key_id) and self._clock.monotonic() - found.tried_at >= AGAIN_S:
                await self._refresh(issuer, found)
        if not found.keys:
            raise NoKeysError(found.failure)
        return found.keys.get(key_id)

    def _fresh(self, issuer: _Issuer, key_id: str) -> bool:
        return key_id in issuer.keys and self._clock.monotonic() - issuer.fetched_at < KEPT_S

    async def _refresh(self, url: str, issuer: _Issuer) -> None:
        """Fetch the keys. Those that are there stay when that fails, for as long as they are kept."""
        issuer.tried_at = self._clock.monotonic()
        try:
            keys = await self._fetch(url)
        except NoKeysError as error:
            issuer.failure = str(error)
            if issuer.tried_at - issuer.fetched_at >= KEPT_S:
                issuer.keys = {}
            return
        issuer.keys, issuer.fetched_at = keys, self._clock.monotonic()

    async def _fetch(self, issuer: str) -> dict[str, Key]:
        configuration = await self._object(issuer.rstrip("/") + WELL_KNOWN)
        named = configuration.get("issuer")
        if named != issuer:
            raise NoKeysError(f"OIDC discovery of {issuer} is of another issuer, {named!r}")
        where = configuration.get("jwks_uri")
        if not isinstance(where, str):
            raise NoKeysError(f"OIDC discovery of {issuer} names no jwks_uri")
        listed = (await self._object(where)).get("keys")
        keys = [key for key in listed if isinstance(key, dict)] if isinstance(listed, list) else []
        return {key["kid"]: key for key in keys if isinstance(key.get("kid"), str)}

    async def _object(self, url: str) -> dict[str, Any]:
        request = Request("GET", url, (("accept", "application/json"),), timeout_s=TIMEOUT_S, most_body=MOST_BYTES)
        try:
            response = await self._sender.send(request)
        except OutgoingError as error:
            raise NoKeysError(f"{url} could not be fetched: {error.message}") from error
        if response.status != 200 or not response.complete:
            raise NoKeysError(f"{url} answered with the status {response.status}")
        try:
            value = json.loads(response.body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise NoKeysError(f"{url} answered with something else than a JSON object")
        return value
