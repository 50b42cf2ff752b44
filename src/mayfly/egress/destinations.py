"""Connections to what a sandbox may reach, made by the server: it resolves the name, looks at where it leads, and
connects to that address and no other.

So whoever answers for a name on a list cannot widen the list. Used by `outlet`.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, ip_address

from mayfly.errors import CallerError, PlatformError
from mayfly.policy import egress
from mayfly.policy.egress import Address, Egress

RESOLVE_S, CONNECT_S = 10.0, 20.0
MOST_ADDRESSES = 4  # of a name that are tried
_RESOLVERS = 16

# The addresses of a name; none, or OSError: there are none.
Resolve = Callable[[str], Awaitable[Sequence[Address]]]


class RefusedError(CallerError):
    """The sandbox may not reach it; says why."""


class UnreachableError(PlatformError):
    """It may, but nobody answers; says why."""


class SystemResolver:
    """Names as this machine resolves them, in threads of its own: names that take long hold up other names alone."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="names of sandboxes")

    async def __call__(self, name: str) -> list[Address]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, name)
        return [ip_address(one) for one in dict.fromkeys(found)]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str) -> list[str]:
    return [str(one[4][0]).partition("%")[0] for one in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


def is_own(found: Address) -> bool:
    """Whether an address is this machine's: what is sent there would come from there."""
    family = socket.AF_INET if isinstance(found, IPv4Address) else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.connect((str(found), 9))  # sends nothing
        return ip_address(str(asking.getsockname()[0]).partition("%")[0]) == found
    return False


class Destinations:
    """Connects."""

    def __init__(self, resolve: Resolve, own: Callable[[Address], bool] = is_own) -> None:
        self._resolve = resolve
        self._own = own

    async def connect(self, allowed: Egress, host: str, port: int) -> socket.socket:
        """A connection to one of the addresses of `host`; `RefusedError`, `UnreachableError`."""
        if not allowed.allows(host, port):
            raise RefusedError("it is not on the function's list")
        reason = ""
        error: OSError | TimeoutError | None = None
        for at in (await self._addresses(host))[:MOST_ADDRESSES]:
            objection = self._objection(allowed, at, port)
            if objection:
                reason = f"{at}: {objection}"
                continue
            try:
                return await _connected(at, port)
            except (OSError, TimeoutError) as failure:
                error = failure
        if error is not None:
            raise UnreachableError(f"it could not be connected to: {str(error) or 'no answer'}") from error
        raise RefusedError(reason) if reason else UnreachableError("its name has no address")

    async def _addresses(self, host: str) -> list[Address]:
        named = egress.address(host)
        if named is not None:
            return [named]
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._resolve(host.lower().rstrip("."))
        except (OSError, TimeoutError, UnicodeError) as error:
            raise UnreachableError(f"its name could not be resolved: {str(error) or 'no answer'}") from error
        return list(dict.fromkeys(egress.plain(one) for one in found))

    def _objection(self, allowed: Egress, at: Address, port: int) -> str:
        if allowed.names_address(at, port):
            return ""
        return egress.objection(at) or ("it is the server's own machine" if self._own(at) else "")


async def _connected(at: Address, port: int) -> socket.socket:
    family = socket.AF_INET if isinstance(at, IPv4Address) else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(CONNECT_S):
            await asyncio.get_running_loop().sock_connect(made, (str(at), port))
    except BaseException:
        made.close()
        raise
    return made
