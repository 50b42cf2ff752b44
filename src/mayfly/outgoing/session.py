"""Requests over aiohttp: connections, the check of every address, limits, and what its errors mean.

An address is looked at when a socket for it is made, the last moment before it is connected to: however a URL writes
it, and whatever a name leads to by then. So there is no time in which a name could turn.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from mayfly.egress.destinations import RESOLVE_S, Resolve
from mayfly.outgoing.api import Headers, Identity, Opened, OutgoingError, Request, Response
from mayfly.outgoing.client import MadeTls
from mayfly.policy import egress
from mayfly.policy.egress import Address
from mayfly.policy.outgoing import Reach

CONNECT_S = 10.0
IDLE_S = 30.0
MOST_CONNECTIONS = 1024  # users bound what is under way to each destination, so that none takes all of them
MOST_HEAD = 32 * 1024
MOST_IDENTITIES = 64  # that are kept ready; a context of TLS takes a megabyte
_MOST_LINE = 8 * 1024


class _RefusedError(OSError):
    """The address may not be connected to."""


class _NoAddressError(OSError):
    """The name leads nowhere."""


class _Resolver(AbstractResolver):
    """Names by the platform's own resolver, and of their addresses those that may be reached."""

    def __init__(self, resolve: Resolve, check: Callable[[Address], None]) -> None:
        self._resolve = resolve
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(RESOLVE_S):
                addresses = await self._resolve(host.lower().rstrip("."))
        except (OSError, TimeoutError, UnicodeError) as error:
            raise _NoAddressError(f"the name {host} could not be resolved: {str(error) or 'no answer'}") from error
        found: list[ResolveResult] = []
        refused: _RefusedError | None = None
        for one in dict.fromkeys(map(egress.plain, addresses)):
            try:
                self._check(one)
            except _RefusedError as objection:
                refused = objection
                continue
            kind = socket.AF_INET if one.version == 4 else socket.AF_INET6
            found.append(
                ResolveResult(
                    hostname=host, host=str(one), port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
                )
            )
        if not found:
            raise refused or _NoAddressError(f"the name {host} has no address")
        return found

    async def close(self) -> None:
        """The resolver is its owner's."""


class Session:
    """The connections of one platform. Made on the event loop that it is used on."""

    def __init__(self, reach: Reach, resolve: Resolve, own: Callable[[Address], bool], tls: MadeTls | None) -> None:
        self._reach = reach
        self._own = own
        self._tls = tls or ssl.create_default_context
        self._presenting: dict[Identity, ssl.SSLContext] = {}
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(resolve, self._check),
            use_dns_cache=False,
            socket_factory=self._socket,
            ssl=self._tls(),
            limit=MOST_CONNECTIONS,
            keepalive_timeout=IDLE_S,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,  # so that a small answer cannot become a large one
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(sock_connect=CONNECT_S),
            max_line_size=_MOST_LINE,
            max_field_size=MOST_HEAD,
            skip_auto_headers=("Accept-Encoding", "User-Agent", "Accept", "Content-Type"),
        )

    async def send(self, request: Request) -> Response:
        """See `api.Sender`."""
        with _meant(request.timeout_s):
            async with asyncio.timeout(request.timeout_s), await self._asked(request) as answer:
                body, complete = await _at_most(answer.content, request.most_body)
                if not complete:
                    answer.close()  # the rest is not worth waiting for
                return Response(answer.status, _headers(answer), body, complete)

    async def open(self, request: Request) -> Opened:
        """See `api.StreamingSender`."""
        with _meant(request.timeout_s):
            async with asyncio.timeout(request.timeout_s):
                answer = await self._asked(request)
        return Opened(answer.status, _headers(answer), _parts(answer, request.timeout_s), answer.close)

    async def close(self) -> None:
        """End every connection."""
        await self._session.close()

    async def _asked(self, request: Request) -> aiohttp.ClientResponse:
        url, body = _url(request.url), request.body or None
        tls = True if request.identity is None else await self._presented(request.identity)
        return await self._session.request(
            request.method, url, headers=request.headers, data=body, allow_redirects=False, ssl=tls
        )

    async def _presented(self, identity: Identity) -> ssl.SSLContext:
        """What presents an identity: the same for the next request, which so finds the connection of this one."""
        known = self._presenting.pop(identity, None)
        if known is None:
            known = await asyncio.to_thread(_presenting, self._tls, identity)
        self._presenting[identity] = known
        while len(self._presenting) > MOST_IDENTITIES:
            del self._presenting[next(iter(self._presenting))]
        return known

    def _socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, sockaddr = info
        found = egress.address(str(sockaddr[0]))
        if found is None:
            raise _RefusedError(f"{sockaddr[0]} is no address in its usual form")
        self._check(found)
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _check(self, found: Address) -> None:
        objection = self._reach.objection(found, self._own)
        if objection:
            raise _RefusedError(f"the platform may not send requests to {found}: {objection}")


def _presenting(make: MadeTls, identity: Identity) -> ssl.SSLContext:
    """In a thread: it reads the authorities. The library takes certificates from files alone; this one has no name."""
    context = make()
    with open(os.memfd_create("identity", os.MFD_CLOEXEC), "wb") as file:
        file.write(identity.certificate.encode() + b"\n" + identity.key)
        file.flush()
        try:
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
        except ssl.SSLError as error:
            raise ValueError(f"the client certificate cannot be used: {error}") from error
    return context


@contextmanager
def _meant(timeout_s: float) -> Iterator[None]:
    """What the library raises, as `OutgoingError`."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise OutgoingError("timeout", f"there was no connection in {CONNECT_S:g} s") from error
    except TimeoutError:
        raise OutgoingError("timeout", f"there was no answer in {timeout_s:g} s") from None
    except aiohttp.ClientConnectorError as error:
        raise _unconnected(error) from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError, TypeError) as error:
        raise OutgoingError("invalid", f"the request cannot be sent: {error}") from error
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        raise OutgoingError("broken", f"the connection ended before its answer: {error}") from error


async def _parts(answer: aiohttp.ClientResponse, timeout_s: float) -> AsyncIterator[bytes]:
    try:
        with _meant(timeout_s):
            async for part in answer.content.iter_any():
                yield part
    finally:
        answer.close()  # nothing after its end, where the connection is kept


def _url(text: str) -> URL:
    """The URL as it is written; one that only makes sense quoted is quoted."""
    plain = text.isascii() and text.isprintable() and " " not in text
    url = URL(text, encoded=plain)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{text!r} is no URL of http or https")
    return url


def _unconnected(error: aiohttp.ClientConnectorError) -> OutgoingError:
    cause = error.os_error
    if isinstance(cause, _RefusedError):
        return OutgoingError("refused", str(cause))
    if isinstance(cause, _NoAddressError):
        return OutgoingError("name", str(cause))
    if isinstance(error, (aiohttp.ClientConnectorSSLError, aiohttp.ClientConnectorCertificateError)) or isinstance(
        cause, ssl.SSLError
    ):
        return OutgoingError("tls", f"no trusted TLS with {error.host}: {cause}")
    return OutgoingError("unreachable", f"{error.host}:{error.port} could not be connected to: {cause}")


def _headers(answer: aiohttp.ClientResponse) -> Headers:
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.raw_headers)


async def _at_most(content: aiohttp.StreamReader, most: int) -> tuple[bytes, bool]:
    parts, size = [], 0
    async for part in content.iter_any():
        size += len(part)
        if size > most:
            parts.append(part[: len(part) - (size - most)])
            return b"".join(parts), False
        parts.append(part)
    return b"".join(parts), True
