"""One front process from start to end: the root that builds it. `python -m mayfly.app.front`, by `front.process`.

It answers what `front.intake` says with the same parts as the core: the gateway, the operation `Invoke`, the handler of
function URLs. Only what they stand on differs: functions and keys are asked for, calls run on leased instances, records
go to journals that the core folds. Secrets reach it over its link alone, and it ends when that ends.
"""

import asyncio
import logging
import os
import random
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvloop

from mayfly.app import garbage
from mayfly.app.call_records import RecordWriter
from mayfly.clock import SystemClock
from mayfly.errors import PlatformError
from mayfly.front import messages
from mayfly.front.calls import Calls
from mayfly.front.connections import FrontConnection
from mayfly.front.conversation import Conversation
from mayfly.front.entries import RemoteEntries, RemoteKeys
from mayfly.front.leases import Leases
from mayfly.front.link import Link
from mayfly.http.api import ElsewhereError
from mayfly.http.routes import Routes
from mayfly.http.server import FrontDoor
from mayfly.http.traffic import Traffic
from mayfly.sandbox.agent import kernel
from mayfly.services.contract import operations_of
from mayfly.services.functions.delivery import AsyncEvent
from mayfly.services.functions.held import Held
from mayfly.services.functions.invoker import Flow, Invoker
from mayfly.services.functions.log_streams import Streams
from mayfly.services.functions.names import Home
from mayfly.services.functions.operations.invocations import InvocationOperations
from mayfly.services.functions.recorder import Recorder
from mayfly.services.functions.tracing import Traces
from mayfly.services.functions.web.handler import UrlHandler
from mayfly.services.identity.access import ActingKeys, guarded
from mayfly.settings import Settings
from mayfly.store.journal_follow import Writer
from mayfly.wire.gateway import Gateway
from mayfly.wire.models import Models
from mayfly.wire.operations import Catalogue
from mayfly.wire.signed import SignedRequests

COUNT_EVERY_S = 0.05

_log = logging.getLogger(__name__)


def main() -> None:
    """`python -m mayfly.app.front LINK LISTENER`: the numbers of two descriptors that were inherited."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)  # even where the end of the link goes unnoticed
    link, listener = (socket.socket(fileno=int(argument)) for argument in sys.argv[1:3])
    listener.setblocking(False)
    uvloop.run(_serve(link, listener))
    # What is left are threads that wait for nothing, and memory that nobody needs.
    os._exit(0)


async def _serve(end: socket.socket, listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    welcome: asyncio.Future[messages.Welcome] = loop.create_future()
    draining, over = asyncio.Event(), asyncio.Event()
    talk = Conversation(welcome.set_result, draining.set)
    link: Link[Any] = Link(end, messages.FromCore, talk.heard, lambda: os._exit(0))
    talk.attach(link)
    front = _Front(await welcome, talk)
    await front.listen(listener)
    talk.send(messages.Ready())
    garbage.settle()
    counting = loop.create_task(front.count(), name="count")
    await draining.wait()
    await front.drain()
    counting.cancel()
    over.set()


class Elsewhere:
    """`calling.Intake` where events are not accepted: such requests go to the core."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()

    async def accept(self, event: AsyncEvent) -> None:
        raise PlatformError("events are accepted by the core")


class _CoreStreams:
    """`calling.Streams` where nothing is streamed: such requests go to the core."""

    async def stream(self, *_: object, **__: object) -> Flow:
        raise ElsewhereError


class _Journaled:
    """`leases.Streams`: logs that began in the core and go on here."""

    def __init__(self, streams: Streams, recorder: Recorder) -> None:
        self._streams = streams
        self._recorder = recorder

    def adopt(self, instance: str, stream: str) -> None:
        self._streams.adopt(instance, stream)
        self._recorder.adopt(instance)

    def forget(self, instance: str) -> None:
        self._recorder.write()  # before anybody else goes on
        self._recorder.forget(instance)


class _Front:
    """Everything of one front, built."""

    def __init__(self, told: messages.Welcome, talk: Conversation) -> None:
        clock = SystemClock()
        settings = Settings(
            data=Path(told.journals),
            account=told.account,
            region=told.region,
            http=told.http,
            limits=told.limits,
            max_clock_skew_s=told.max_clock_skew_s,
        )
        home, streams = Home(told.account, told.region), Streams(clock)
        self._journal = Writer(settings.data, told.journal, told.segment)
        held = Held(RecordWriter(self._journal), asyncio.get_running_loop().call_later)
        self._write = held.write
        recorder = Recorder(held, home, streams, clock)
        entries, keys = RemoteEntries(talk.ask), RemoteKeys(talk.ask, clock)
        self._leases = Leases(talk.send, talk.questions, recorder, _Journaled(streams, recorder), clock)
        calls = Calls(Invoker(self._leases, recorder, told.limits, Traces(clock, random.random)), talk.ask)
        operations = InvocationOperations(home, entries, calls, Elsewhere(clock), told.limits)
        gateway = Gateway({"lambda": guarded(_Invoke(operations))}, keys, settings, clock, _catalogue())
        gateway.warm(["lambda"])
        signatures = SignedRequests(ActingKeys(keys), clock, told.max_clock_skew_s)
        urls = UrlHandler(home, entries, calls, told.limits, clock, signatures, _CoreStreams())
        self._talk = talk
        self._door = FrontDoor(Routes(gateway.handle, urls.handle, {}).answer, told.http)
        self._adopting: set[asyncio.Task[None]] = set()
        self._under_way = 0
        talk.bind(entries, keys, self._leases, self._adopt)

    async def listen(self, listener: socket.socket) -> None:
        await self._door.listen(listener, make=self._connection)

    def _connection(self, traffic: Traffic, arrived: bytes = b"") -> FrontConnection:
        return FrontConnection(traffic, self._talk.move, arrived)

    def _adopt(self, descriptor: int, data: bytes) -> None:
        """Take a connection that the core gives back."""
        accepted = socket.socket(fileno=descriptor)
        adopting = asyncio.get_running_loop().create_task(
            self._door.adopt(accepted, lambda traffic: self._connection(traffic, data))
        )
        self._adopting.add(adopting)
        adopting.add_done_callback(self._adopting.discard)

    async def count(self) -> None:
        """Keep the core told of what happens here."""
        while True:
            await asyncio.sleep(COUNT_EVERY_S)
            self._count()

    def _count(self) -> None:
        calls, under_way = self._leases.take_count(), self._door.under_way()
        if calls or under_way != self._under_way:
            self._under_way = under_way
            self._talk.send(messages.Counted(calls, under_way))

    async def drain(self) -> None:
        """Finish what is under way, and give everything back."""
        if self._adopting:
            await asyncio.wait(list(self._adopting))
        self._door.refuse()
        await self._door.drained()
        self._leases.drain()
        await self._leases.empty()
        self._count()
        await self._door.close()
        self._write()
        await self._journal.close()


def _catalogue() -> Catalogue:
    return Catalogue(Models(), frozenset({"lambda"}), on_the_spot=False)


class _Invoke:
    """The one operation of lambda that is answered here."""

    name = "lambda"

    def __init__(self, operations: InvocationOperations) -> None:
        self.operations = operations_of(operations)


if __name__ == "__main__":
    main()
