"""Tokens of OAuth client credentials: fetched once for many deliveries, until they expire or an endpoint rejects one.

In memory only. Used by the authorizer, which finds out whether a connection works, and by deliveries.
"""

import asyncio
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.outgoing.api import OutgoingError, Request, Sender
from mayfly.services.events.connections import Connection, Secret, whole
from mayfly.services.events.destinations import TIME_LIMIT_S, merged, with_query

_UNTOLD_S = 300.0  # how long a token is used that does not say how long it lasts
_MARGIN = 0.1  # a token is replaced when this part of its life is left
_LONGEST_MARGIN_S = 60.0
_MOST_TOKENS = 3000  # as many as there may be connections
_MOST_ANSWER = 64 * 1024


class TokenError(PlatformError):
    """There is no token; `final` says that asking again as it is would not help."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float | str | None = None


class _Known(NamedTuple):
    token: str
    until: float  # monotonic


class Tokens:
    """Tokens by connection."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self._sender = sender
        self._clock = clock
        self._known: dict[tuple[str, int], _Known] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[str]] = {}

    async def of(self, arn: str, connection: Connection, secret: Secret) -> str:
        """A token that is good now; `TokenError`. Those who ask at the same time wait for one answer."""
        key = (arn, connection.revision)
        known = self._known.get(key)
        if known is not None and known.until > self._clock.monotonic():
            return known.token
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, connection, secret), name="oauth-token")
            task.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(task)

    def reject(self, arn: str, connection: Connection, token: str) -> None:
        """An endpoint did not take this token: the next one who asks gets another."""
        key = (arn, connection.revision)
        known = self._known.get(key)
        if known is not None and known.token == token:
            del self._known[key]

    async def close(self) -> None:
        """Ask for no token any more."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _answered(self, key: tuple[str, int], task: "asyncio.Task[str]") -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it

    async def _ask(self, key: tuple[str, int], connection: Connection, secret: Secret) -> str:
        answer = await self._fetch(connection, secret)
        lasts_s = _lasts(answer.expires_in)
        margin_s = min(lasts_s * _MARGIN, _LONGEST_MARGIN_S)
        if len(self._known) >= _MOST_TOKENS:
            self._known.pop(next(iter(self._known)))
        self._known[key] = _Known(answer.access_token, self._clock.monotonic() + lasts_s - margin_s)
        return answer.access_token

    async def _fetch(self, connection: Connection, secret: Secret) -> _Answer:
        try:
            response = await self._sender.send(token_request(connection, secret))
        except OutgoingError as error:
            final = error.kind in {"invalid", "refused"}
            raise TokenError(f"the authorization endpoint cannot be asked: {error.message}", final=final) from None
        if not 200 <= response.status < 300:
            final = 400 <= response.status < 500 and response.status not in {408, 409, 425, 429}
            raise TokenError(f"the authorization endpoint answered {response.status}", final=final)
        try:
            answer = msgspec.json.decode(response.body, type=_Answer)
        except (msgspec.DecodeError, RecursionError):
            raise TokenError("the authorization endpoint gave no access_token", final=True) from None
        if not answer.access_token or not answer.access_token.isascii() or not answer.access_token.isprintable():
            raise TokenError("the authorization endpoint gave an access_token that no header can carry", final=True)
        return answer


def token_request(connection: Connection, secret: Secret) -> Request:
    """The request for a token (RFC 6749, 4.4)."""
    added = whole(connection.oauth, secret.oauth)
    form = {
        "grant_type": "client_credentials",
        "client_id": connection.user,
        "client_secret": secret.value,
        **dict(added.body),
    }
    headers = [("Accept", "application/json")]
    url, body = connection.endpoint, b""
    if connection.method == "GET":
        url = with_query(url, form.items())
    elif any(name.lower() == "content-type" and "json" in value for name, value in added.headers):
        body = msgspec.json.encode(form)
    else:
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        body = urlencode(form).encode()
    return Request(
        connection.method,
        with_query(url, added.query),
        merged(headers, added.headers),
        body,
        TIME_LIMIT_S,
        _MOST_ANSWER,
    )


def _lasts(said: float | str | None) -> float:
    try:
        lasts_s = float(said) if said is not None else _UNTOLD_S
    except ValueError:
        return _UNTOLD_S
    return lasts_s if 0 < lasts_s < float("inf") else _UNTOLD_S
