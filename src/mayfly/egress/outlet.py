"""The way out of one sandbox: what listens on its loopback interface, and what becomes of who comes.

*Names*: a name that may be reached gets an address of 127.64.0.0/16 when it is first asked for, and at that address
listeners on the ports that are allowed; no other name exists. *Addresses* that are on the list are addresses of the
loopback interface, with such listeners. A connection to either is one to the destination, made by `destinations`. *The
proxy* is for programs that know one, and the only way to what has no listener: any port of a name, any address.

All of them are made by whoever makes sandboxes, in the sandbox's network, and served here. A sandbox can do no more
than connect to them. Made by `outlets`, one a sandbox.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from ipaddress import IPv4Address
from typing import Protocol

from mayfly.egress import dns, proxying
from mayfly.egress.book import Book
from mayfly.egress.destinations import Destinations, RefusedError, UnreachableError
from mayfly.egress.gate import Gate, Places
from mayfly.egress.relay import Side, relay
from mayfly.errors import PlatformError
from mayfly.policy.egress import ANY_PORT, DNS_PORT, PROXY_PORT, Egress
from mayfly.sandbox.api import Place, Sandbox

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
# Where there is a listener for a name or address of which all ports are allowed.
USUAL_PORTS = frozenset((22, 80, 443, 587, 3306, 5432, 5671, 6379, 8443, 9092, 27017))
MOST_NAMES = 64
MOST_CONNECTIONS = 128
CONNECTIONS_A_SECOND, QUESTIONS_A_SECOND = 200, 200
HEAD_S = 10.0
_MOST_QUESTIONS = 16  # of one connection
_FIRST_NAME = int(IPv4Address("127.64.0.1"))


class Allowance(Protocol):
    """Listeners that all sandboxes together may have."""

    def take(self, count: int) -> bool: ...

    def give_back(self, count: int) -> None: ...


class Outlet:
    """See the module."""

    def __init__(
        self,
        sandbox: Sandbox,
        allowed: Egress,
        owner: str,
        destinations: Destinations,
        book: Book,
        allowance: Allowance,
    ) -> None:
        self._sandbox = sandbox
        self._allowed = allowed
        self._owner = owner
        self._destinations = destinations
        self._book = book
        self._allowance = allowance
        self._taken = 0
        self._closed = False
        self._names: dict[str, asyncio.Future[IPv4Address | None]] = {}
        self._gates: list[Gate] = []
        self._connections, self._questions = Places(MOST_CONNECTIONS), Places(MOST_NAMES)

    async def open(self) -> None:
        """Have everything listen that does from the beginning; what `Sandbox.listen` raises, and `PlatformError` when
        there are too many listeners."""
        addresses = [(at, port) for at, port in self._addresses()]
        places = [
            Place("tcp", LOOPBACK, PROXY_PORT),
            Place("tcp", LOOPBACK, DNS_PORT),
            Place("udp", LOOPBACK, DNS_PORT),
        ]
        made = await self._listen([*places, *(Place("tcp", at, port) for at, port in addresses)])
        if made is None:
            raise PlatformError("this server has no room for another sandbox that reaches out")
        self._accept(made[0], self._proxy)
        self._accept(made[1], self._answer_stream)
        self._gates.append(Gate(made[2], self._asked, QUESTIONS_A_SECOND, self._questions))
        for (at, port), listener in zip(addresses, made[3:], strict=True):
            self._accept(listener, partial(self._pass, at, port))

    def close(self) -> None:
        """End all that is under way. Idempotent."""
        self._closed = True
        for gate in self._gates:
            gate.close()
        self._gates.clear()
        for task in (*self._connections.tasks, *self._questions.tasks):
            task.cancel()
        self._allowance.give_back(self._taken)
        self._taken = 0

    def _addresses(self) -> Iterable[tuple[str, int]]:
        """Those of IPv4 that are on the list, with their ports, each once."""
        found = {}
        for rule in self._allowed.rules:
            if rule.kind == "address" and ":" not in rule.host:
                found.update(dict.fromkeys((rule.host, port) for port in _ports([rule.port])))
        return found

    async def _listen(self, places: list[Place]) -> list[socket.socket] | None:
        """None: there are too many listeners."""
        if not self._allowance.take(len(places)):
            return None
        self._taken += len(places)
        made = await self._sandbox.listen(places)
        if self._closed:
            _close(made)
            raise ConnectionError("the sandbox has ended")
        return made

    def _accept(self, listener: socket.socket, serve: Callable[[Side], Awaitable[None]]) -> None:
        def react(from_: socket.socket) -> bool:
            try:
                accepted, _ = from_.accept()
            except OSError:  # it has gone again
                return False
            accepted.setblocking(False)
            waiting = [accepted]
            task = asyncio.create_task(self._serve(waiting, serve), name="way out of a sandbox")
            task.add_done_callback(lambda _: _close(waiting))  # when it was cancelled before it began
            self._connections.occupy(task)
            return True

        self._gates.append(Gate(listener, react, CONNECTIONS_A_SECOND, self._connections))

    async def _serve(self, waiting: list[socket.socket], serve: Callable[[Side], Awaitable[None]]) -> None:
        try:
            inside = await Side.of(waiting.pop())
        except OSError:
            return
        try:
            await serve(inside)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            inside.reset()
        except asyncio.CancelledError:
            inside.reset()
            raise
        except Exception:
            inside.reset()
            _log.exception("a connection out of a sandbox of %s failed", self._owner)
        finally:
            inside.close()

    async def _pass(self, host: str, port: int, inside: Side) -> None:
        """A connection to a listener that stands for a destination."""
        try:
            outside = await self._reach(host, port)
        except (RefusedError, UnreachableError):
            inside.reset()
            return
        await self._between(inside, outside)

    async def _reach(self, host: str, port: int) -> Side:
        try:
            return await Side.of(await self._destinations.connect(self._allowed, host, port))
        except RefusedError as error:
            self._book.refused(self._owner, f"{host[:255]}:{port}", str(error))
            raise

    async def _between(self, inside: Side, outside: Side) -> None:
        traffic = self._book.of(self._owner)
        traffic.connections += 1

        def count(sent: int, received: int) -> None:
            traffic.sent_bytes += sent
            traffic.received_bytes += received

        try:
            await relay(inside, outside, count)
        finally:
            outside.close()

    async def _proxy(self, inside: Side) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await inside.reader.readuntil(proxying.END)
            asked = proxying.asked(head) if len(head) <= proxying.MOST_HEAD else None
        except TimeoutError:
            await _say(inside, proxying.answer(408, "the head of the request took too long"))
            return
        except asyncio.LimitOverrunError:
            asked = None
        except proxying.BadRequestError as error:
            await _say(inside, proxying.answer(400, str(error)))
            return
        if asked is None:
            await _say(inside, proxying.answer(431, f"the head of a request has at most {proxying.MOST_HEAD} bytes"))
            return
        try:
            outside = await self._reach(asked.host, asked.port)
        except RefusedError as error:
            await _say(inside, proxying.answer(403, f"{asked.host}:{asked.port} may not be reached: {error}"))
            return
        except UnreachableError as error:
            await _say(inside, proxying.answer(502, f"{asked.host}:{asked.port}: {error}"))
            return
        (inside if asked.tunnel else outside).writer.write(proxying.ESTABLISHED if asked.tunnel else asked.head)
        await self._between(inside, outside)

    def _asked(self, from_: socket.socket) -> bool:
        """A question over UDP."""
        try:
            message, back = from_.recvfrom(dns.MOST_BYTES + 1)
        except OSError:
            return False
        with contextlib.suppress(dns.NotAQueryError):
            query = dns.query(message)
            self._questions.occupy(asyncio.create_task(self._answer(query, partial(_send, from_, back))))
        return True

    async def _answer_stream(self, inside: Side) -> None:
        """Questions over TCP."""
        for _ in range(_MOST_QUESTIONS):
            async with asyncio.timeout(HEAD_S):
                size = int.from_bytes(await inside.reader.readexactly(2))
                message = await inside.reader.readexactly(size)
            try:
                query = dns.query(message)
            except dns.NotAQueryError:
                return
            await self._answer(query, lambda data: inside.writer.write(len(data).to_bytes(2) + data))
            await inside.writer.drain()

    async def _answer(self, query: dns.Query, say: Callable[[bytes], None]) -> None:
        if query.error:
            say(dns.reply(query, query.error))
        elif not (ports := self._allowed.ports(query.name)) or query.name.endswith((".arpa", "localhost")):
            self._book.refused(self._owner, query.name, "its name is not on the function's list")
            say(dns.reply(query, dns.NO_SUCH_NAME))
        elif not query.asks_address:
            say(dns.reply(query, dns.NO_ERROR))
        else:
            at = await self._address_of(query.name, ports)
            say(dns.reply(query, dns.NO_ERROR if at is not None else dns.SERVER_FAILURE, at))

    async def _address_of(self, name: str, ports: frozenset[int]) -> IPv4Address | None:
        """The address that stands for a name in here, the same until the end; None: there are too many."""
        known = self._names.get(name)
        if known is not None:
            return await asyncio.shield(known)
        if len(self._names) >= MOST_NAMES:
            self._book.refused(self._owner, name, f"a sandbox may use {MOST_NAMES} names; the proxy has no such limit")
            return None
        made = self._names[name] = asyncio.get_running_loop().create_future()
        at: IPv4Address | None = IPv4Address(_FIRST_NAME + len(self._names) - 1)
        places = [Place("tcp", str(at), port) for port in sorted(_ports(ports))]
        try:
            listeners = await self._listen(places)
        except (PlatformError, ConnectionError) as error:
            _log.warning("%s has no way to %s: %s", self._owner, name, error)
            listeners = None
        for place, listener in zip(places, listeners or (), strict=listeners is not None):
            self._accept(listener, partial(self._pass, name, place.port))
        at = at if listeners is not None else None
        if not made.done():
            made.set_result(at)
        return at


def _ports(allowed: Iterable[int]) -> frozenset[int]:
    """Those at which there is a listener."""
    ports = frozenset(allowed)
    return (ports - {ANY_PORT}) | (USUAL_PORTS if ANY_PORT in ports else frozenset())


def _close(sockets: Iterable[socket.socket]) -> None:
    for one in sockets:
        one.close()


def _send(through: socket.socket, to: tuple[str, int], data: bytes) -> None:
    with contextlib.suppress(OSError):  # whoever asked is gone, or does not read
        through.sendto(data, to)


async def _say(inside: Side, data: bytes) -> None:
    inside.writer.write(data)
    with contextlib.suppress(OSError):
        await inside.writer.drain()
