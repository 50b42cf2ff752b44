"""API destinations as targets of rules: one attempt at a delivery, and what its failure means.

Calls of a destination keep its limit whoever makes them, attempts after a failure included. What is decided after a
failure (again, and when, or never) is for `deliveries`, which calls this through `http_targets.HttpTargets`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from mayfly.clock import Clock
from mayfly.errors import PlatformError
from mayfly.outgoing.api import OutgoingError, Response, Sender
from mayfly.services.events import connection_records as records
from mayfly.services.events import connections, destinations
from mayfly.services.events.connection_authorizer import secret_of
from mayfly.services.events.connection_tokens import TokenError, Tokens
from mayfly.services.events.connections import Connection, Secret
from mayfly.services.events.destination_rates import WINDOW_S, Pace
from mayfly.services.events.destinations import Destination, UnfitDeliveryError
from mayfly.services.events.http_targets import HttpDelivery, HttpTargetError
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Store

PATIENCE_S = 2.0  # how long a delivery waits for its turn before it makes room for others
_MOST_PACES = 4096
_UNAUTHORIZED = frozenset((401, 407))
_WORTH_ANOTHER = _UNAUTHORIZED | {408, 409, 425, 429}
_LONGEST_DETAIL = 256

_CODES = {
    "invalid": ("INVALID_PARAMETER", False),
    "refused": ("NO_PERMISSIONS", False),
    "name": ("CONNECTION_FAILURE", True),
    "unreachable": ("CONNECTION_FAILURE", True),
    "tls": ("CONNECTION_FAILURE", True),
    "timeout": ("TIMEOUT", True),
    "broken": ("CONNECTION_FAILURE", True),
}


class _Way:
    """All that a call of a destination needs."""

    __slots__ = ("arn", "connection", "connection_arn", "destination", "sealed")

    def __init__(self, arn: str, destination: Destination, connection: Connection, sealed: bytes) -> None:
        self.arn = arn
        self.destination = destination
        self.connection_arn = destination.connection_arn
        self.connection = connection
        self.sealed = sealed


class DestinationDeliveries:
    """`http_targets.HttpTargets`."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        sender: Sender,
        tokens: Tokens,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._vault = vault
        self._sender = sender
        self._tokens = tokens
        self._clock = clock
        self._sleep = sleep
        self._paces: dict[str, Pace] = {}
        self._since = clock.monotonic()

    def exists(self, reader: Reader, arn: str) -> bool:
        """See `http_targets.HttpTargets`."""
        return _find(reader, arn) is not None

    async def deliver(self, arn: str, delivery: HttpDelivery) -> None:
        """See `http_targets.HttpTargets`."""
        await self.ask(arn, delivery)

    async def ask(self, arn: str, delivery: HttpDelivery) -> bytes:
        """Like `deliver`; what the endpoint answered."""
        way = await self._store.read(lambda reader: _way(reader, arn))
        try:
            secret = secret_of(self._vault.open(way.sealed, way.connection_arn))
        except PlatformError as error:
            raise HttpTargetError("NO_PERMISSIONS", str(error), retry=True) from None
        token = await self._token(way, secret)
        response = await self._call(way, secret, delivery, token)
        if response.status in _UNAUTHORIZED and token is not None:
            self._tokens.reject(way.connection_arn, way.connection, token)
            response = await self._call(way, secret, delivery, await self._token(way, secret))
        if not 200 <= response.status < 300:
            raise _refusal(response, self._clock.now())
        return response.body

    async def _token(self, way: _Way, secret: Secret) -> str | None:
        if way.connection.kind != "OAUTH_CLIENT_CREDENTIALS":
            return None
        try:
            return await self._tokens.of(way.connection_arn, way.connection, secret)
        except TokenError as error:
            # Whoever runs the authorization endpoint may mend it, and the connection may be updated.
            raise HttpTargetError("NO_PERMISSIONS", str(error), retry=True) from None

    async def _call(self, way: _Way, secret: Secret, delivery: HttpDelivery, token: str | None) -> Response:
        try:
            request = destinations.request(way.destination, way.connection, secret, delivery, token)
        except UnfitDeliveryError as error:
            raise HttpTargetError("INVALID_PARAMETER", str(error), retry=False) from None
        await self._turn(way)
        try:
            return await self._sender.send(request)
        except OutgoingError as error:
            code, again = _CODES[error.kind]
            raise HttpTargetError(code, error.message, retry=again) from None

    async def _turn(self, way: _Way) -> None:
        """Return when the destination may be called; `HttpTargetError` if that is too far away."""
        now = self._clock.monotonic()
        pace = self._paces.get(way.arn)
        if pace is None:
            self._forget_idle(now)
            pace = self._paces[way.arn] = Pace(way.destination.rate, self._since)
        pace.set_rate(way.destination.rate)
        turn = pace.reserve(now, PATIENCE_S)
        if turn is None:
            message = f"the destination takes {way.destination.rate} requests a second"
            raise HttpTargetError("THROTTLING", message, retry=True, after_s=pace.next(now) - now, counted=False)
        while (left_s := turn.left_s(self._clock.monotonic())) > 0:
            await self._sleep(left_s)
        turn.begin(self._clock.monotonic())

    def _forget_idle(self, now: float) -> None:
        """Room for one more; one that was not called for a second knows nothing that a fresh one does not."""
        if len(self._paces) < _MOST_PACES:
            return
        for arn in [arn for arn, pace in self._paces.items() if pace.last < now - WINDOW_S]:
            del self._paces[arn]


def _find(reader: Reader, arn: str) -> Destination | None:
    named = destinations.key_of_arn(arn)
    if named is None:
        return None
    key, id_ = named
    found = records.find_destination(reader, *key)
    return found if found is not None and found.id == id_ else None


def _way(reader: Reader, arn: str) -> _Way:
    destination = _find(reader, arn)
    if destination is None:
        raise HttpTargetError("NO_RESOURCE", f"The API destination {arn} does not exist.", retry=False)
    named = connections.key_of_arn(destination.connection_arn)
    stored = None if named is None else records.connection_by_arn(reader, *named)
    if stored is None:
        raise HttpTargetError("NO_PERMISSIONS", "The connection of the API destination does not exist.", retry=False)
    connection = stored.connection
    if connection.state == "AUTHORIZING":
        message = "The connection of the API destination is being authorized."
        raise HttpTargetError("NO_PERMISSIONS", message, retry=True, after_s=1.0, counted=False)
    if connection.state != "AUTHORIZED":
        reason = f": {connection.reason}" if connection.reason else "."
        message = f"The connection of the API destination is not authorized{reason}"
        raise HttpTargetError("NO_PERMISSIONS", message, retry=False)
    return _Way(arn, destination, connection, stored.sealed)


def _refusal(response: Response, now: float) -> HttpTargetError:
    """What an answer other than 2xx means."""
    detail = response.body[:_LONGEST_DETAIL].decode("utf-8", "replace")
    message = f"The endpoint answered {response.status}{f': {detail}' if detail else ''}"
    if response.status >= 500 or response.status in _WORTH_ANOTHER:
        code = "ERROR_FROM_TARGET" if response.status >= 500 else "SDK_CLIENT_ERROR"
        return HttpTargetError(code, message, retry=True, after_s=retry_after(response.header("retry-after"), now))
    return HttpTargetError("SDK_CLIENT_ERROR", message, retry=False)


def retry_after(said: str | None, now: float) -> float | None:
    """The seconds that a `Retry-After` asks for: a number of them, or a date. None: nothing that makes sense."""
    if said is None:
        return None
    text = said.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() - now, 0.0)
