"""The server's end of the agent: the process, the messages, and the sandboxes that came of them.

The agent's messages are read on the event loop. Control socket, output pipe and endpoint of a sandbox go to whoever
started it, and a warm call never involves the agent. Used by `namespace` alone.
"""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import os
import socket
import subprocess
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mayfly.clock import SystemClock
from mayfly.sandbox import interpreters, parcel, peak, rubies
from mayfly.sandbox.agent import channel
from mayfly.sandbox.api import (
    Exit,
    Greeting,
    Interpreter,
    Origin,
    Place,
    SandboxSpec,
    SandboxStartError,
    SandboxUnavailableError,
    TemplateLostError,
    TemplateRefusedError,
)
from mayfly.sandbox.denials import Denials, Listener
from mayfly.sandbox.nest_client import Nest

_PROGRAM = (
    "import sys, importlib; sys.path.insert(0, sys.argv[1]); "
    "main = importlib.import_module(sys.argv[2]).main; sys.path.pop(0); "
    "main(int(sys.argv[3]), sys.argv[4], *sys.argv[5:])"
)
_AGENT_START_S = 20.0
_AGENT_END_S = 15.0
_START_S = 30.0
_SOCKETS_AT_ONCE = 4
_SOCKETS_A_MESSAGE = 32
# What the agent does for every sandbox; it makes none without.
LAYERS = (
    "namespaces (mount, pid, network, ipc, uts, cgroup)",
    "read-only root file system",
    "unprivileged user",
    "no capabilities",
    "no_new_privs",
    "seccomp",
    "cgroup limits",
)


class Entry(NamedTuple):
    """A privileged program that speaks the agent's messages, and what it does for every sandbox."""

    module: str  # whose `main` is called, with a descriptor, a directory and the arguments
    arguments: tuple[str, ...]
    layers: tuple[str, ...]


AGENT = Entry("mayfly.sandbox.agent.main", (), LAYERS)


class AgentSandbox:
    """One sandbox that the agent made; see `Sandbox`."""

    def __init__(self, name: str, control: socket.socket, output: int, agent: "Agent", spec: SandboxSpec) -> None:
        self._id = name
        self.owner = spec.owner
        self._program = spec.program
        self._listener: Listener | None = None
        self._runtime_api: socket.socket | None = None
        self._sockets: collections.deque[socket.socket] = collections.deque()  # of its network, unused
        self._dialling: collections.deque[asyncio.Future[None]] = collections.deque()
        self._listening: collections.deque[asyncio.Future[list[socket.socket]]] = collections.deque()
        self._control = control
        self._output = output
        self._agent = agent
        self._endpoint: socket.socket | None = None
        self._origin: Origin = "interpreter"
        self._peak = -1
        self._peak_bytes = 0
        self._freezer = -1
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    @property
    def id(self) -> str:
        return self._id

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def control(self) -> socket.socket:
        return self._control

    @property
    def output(self) -> int:
        return self._output

    @property
    def endpoint(self) -> socket.socket | None:
        return self._endpoint

    @property
    def runtime_api(self) -> socket.socket | None:
        return self._runtime_api

    @property
    def layers(self) -> tuple[str, ...]:
        if self._origin != "template":
            return self._agent.layers
        # Forks of one template are one user in one user namespace, which nobody else is or has.
        return tuple(one.replace("of its own", "of its version") for one in self._agent.layers)

    async def dial(self) -> socket.socket:
        if not self._exit.done() and not self._sockets:
            asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._dialling.append(asked)
            self._agent.send({"op": channel.DIAL, "id": self._id, "count": _SOCKETS_AT_ONCE}, [])
            await asked
        if self._exit.done():
            raise ConnectionError("the sandbox has ended")
        return self._sockets.popleft()

    async def listen(self, places: Sequence[Place]) -> list[socket.socket]:
        made: list[socket.socket] = []
        try:
            for first in range(0, len(places), _SOCKETS_A_MESSAGE):
                made += await self._listen(places[first : first + _SOCKETS_A_MESSAGE])
        except BaseException:
            for one in made:
                one.close()
            raise
        return made

    async def _listen(self, places: Sequence[Place]) -> list[socket.socket]:
        if self._exit.done():
            raise ConnectionError("the sandbox has ended")
        asked: asyncio.Future[list[socket.socket]] = asyncio.get_running_loop().create_future()
        self._listening.append(asked)
        self._agent.send({"op": channel.LISTEN, "id": self._id, "at": list(places)}, [])
        return await asked

    async def exited(self) -> Exit:
        return await asyncio.shield(self._exit)

    def peak_memory(self) -> int:
        if self._exit.done():
            return self._exit.result().peak_memory_bytes
        with contextlib.suppress(OSError):  # the group is gone, and word of it is on its way
            self._peak_bytes = max(self._peak_bytes, peak.read(self._peak))
        return self._peak_bytes

    def freeze(self) -> bool:
        if self._freezer < 0:
            return False
        try:
            os.write(self._freezer, b"1")
        except OSError:  # the group is gone, and word of it is on its way
            return False
        return True

    def thaw(self) -> None:
        if self._freezer >= 0:
            with contextlib.suppress(OSError):  # as above
                os.write(self._freezer, b"0")

    def peak_file(self) -> int | None:
        return self._peak if self._peak >= 0 and not self._exit.done() else None

    def limit_cpus(self, cpus: float) -> None:
        if not self._exit.done():
            self._agent.send({"op": channel.LIMIT, "id": self._id, "cpus": cpus}, [])

    def kill(self) -> None:
        if not self._exit.done():
            self._agent.send({"op": channel.KILL, "id": self._id}, [])

    async def discard(self) -> Exit:
        self.kill()
        return await self.exited()

    def running(self, origin: Origin, descriptors: list[int], hear: Callable[[int], Listener] | None) -> None:
        """Told by the factory: isolated, and waiting for its first frame. `hear`: there is a listener of denials."""
        self._origin = origin
        endpoint, *rest = descriptors
        self._endpoint = socket.socket(fileno=endpoint)
        if self._program:
            self._runtime_api = socket.socket(fileno=rest.pop(0))
        if hear is not None:
            self._listener = hear(rest.pop(0))
        self._peak, self._freezer = rest[0], rest[1] if len(rest) > 1 else -1

    def heard(self, listener: Listener) -> None:
        """Told by the factory: there is a listener of denials, which came later."""
        self._listener = listener

    def came_from(self, origin: Origin) -> None:
        """Told by the factory: the agent does not tell one program from another."""
        self._origin = origin

    def fitted(self, owner: str) -> None:
        """Told by the agent's end: it waited for its function, and has one."""
        self._origin, self.owner = "pool", owner
        if self._listener is not None:
            self._listener.owner = owner

    def dialled(self, descriptors: list[int], error: str) -> None:
        """Told by the factory, once for each time that it was asked."""
        asked = self._dialling.popleft()
        self._sockets.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
        _resolve(asked, ConnectionError(error) if error else None)

    def listened(self, descriptors: list[int], error: str) -> None:
        """Told by the factory, once for each time that it was asked."""
        asked = self._listening.popleft()
        if asked.done():
            for descriptor in descriptors:
                os.close(descriptor)
        elif error:
            asked.set_exception(SandboxStartError(f"nothing can listen in the sandbox: {error}"))
        else:
            asked.set_result([socket.socket(fileno=descriptor) for descriptor in descriptors])

    def ended(self, how: Exit) -> None:
        """Told by the factory, once. A kernel that does not keep the peak may have shown more before."""
        peak = max(how.peak_memory_bytes, self._peak_bytes)
        self._exit.set_result(dataclasses.replace(how, peak_memory_bytes=peak))
        for descriptor in (self._peak, self._freezer):
            if descriptor >= 0:
                os.close(descriptor)
        self._freezer = -1
        if self._listener is not None:
            self._listener.close()
        for one in self._sockets:
            one.close()
        self._sockets.clear()
        for asked in self._dialling:
            _resolve(asked)
        self._dialling.clear()
        for waits in self._listening:
            _resolve(waits, ConnectionError("the sandbox has ended"))
        self._listening.clear()


class Agent:
    """One agent process, and the messages between it and the loop."""

    def __init__(
        self,
        directory: Path,
        entry: Entry = AGENT,
        denials: Denials | None = None,
        shared: Sequence[Path] = (),
    ) -> None:
        """`shared`: files that every sandbox sees below /var/runtime, where they are there."""
        self.layers = entry.layers
        self._shared = shared
        self._denials = denials or Denials(SystemClock())
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            python = str(interpreters.current().path)
            source = str(parcel.source())
            arguments = [source, entry.module, str(theirs.fileno()), str(directory), *entry.arguments]
            self._process = subprocess.Popen(
                [python, "-I", "-S", "-X", "utf8", "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
            )
        mine.setblocking(False)
        self._channel = mine
        self._outbox: collections.deque[tuple[dict[str, Any], list[int]]] = collections.deque()
        self._preparing: dict[str, asyncio.Future[None]] = {}
        self._starting: dict[str, tuple[AgentSandbox, asyncio.Future[None]]] = {}
        self._fitting: dict[str, asyncio.Future[None]] = {}
        self._sandboxes: dict[str, AgentSandbox] = {}
        self._nests: dict[str, Nest] = {}
        self._ready: asyncio.Future[None] | None = None
        self._gone: asyncio.Event = asyncio.Event()
        self.dead = False

    async def attach(self) -> None:
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        loop.add_reader(self._channel, self._readable)
        try:
            await asyncio.wait_for(self._ready, _AGENT_START_S)
        except TimeoutError:
            await self.close()
            raise SandboxUnavailableError(f"the agent did not answer within {_AGENT_START_S:.0f} s") from None
        except BaseException:
            await self.close()
            raise

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        waiting = self._preparing.get(runtime)
        if waiting is None:
            waiting = self._preparing[runtime] = asyncio.get_running_loop().create_future()
            node = _node(interpreter) if interpreter.language == "nodejs" else None
            python = interpreter if interpreter.language == "python" else interpreters.current()
            paths = {"python": python.path, "prefix": python.prefix, "source": parcel.source()}
            resident = parcel.resident(runtime) if python is interpreter else parcel.node_resident()
            packages = [
                str(package)
                for package in (*parcel.packages_of(resident), *(path for path in self._shared if path.exists()))
            ]
            message: dict[str, Any] = {
                "op": channel.PREPARE,
                "runtime": runtime,
                "packages": packages,
                "resident": resident,
            }
            message["node"] = node
            message["shown"] = _shown(interpreter, resident)
            self.send(message | {name: str(path) for name, path in paths.items()}, [])
        await asyncio.shield(waiting)

    async def nest(self, spec: SandboxSpec) -> Nest:
        """A nest whose shared template waits for its PREPARE frame; `TemplateRefusedError`."""
        report, theirs = socket.socketpair()
        report.setblocking(False)
        name = uuid.uuid4().hex
        nest = self._nests[name] = Nest(name, report, spec.owner)
        self.send({**_start_message(name, spec), "op": channel.NEST, "nest": name}, [theirs.detach()])
        try:
            async with asyncio.timeout(_START_S):
                await nest.made
        except BaseException as error:
            self.drop(nest)
            if isinstance(error, TimeoutError):
                raise TemplateRefusedError(f"it was not there after {_START_S:.0f} s") from None
            raise
        return nest

    def open(self, nest: Nest) -> None:
        """Let sandboxes be forked from a nest."""
        self.send({"op": channel.OPEN, "nest": nest.id}, [])

    def drop(self, nest: Nest) -> None:
        """Give a nest up."""
        nest.close()
        self._nests.pop(nest.id, None)
        self.send({"op": channel.DROP, "nest": nest.id}, [])

    async def start(self, spec: SandboxSpec, nest: str | None = None) -> AgentSandbox:
        """`nest`: the id of one that is open, to fork from."""
        return await self._start(spec, nest)

    async def _start(self, spec: SandboxSpec, nest: str | None = None, *, vacant: bool = False) -> AgentSandbox:
        name = uuid.uuid4().hex
        control, runtime_end = socket.socketpair()
        output, output_end = os.pipe()
        control.setblocking(False)
        os.set_blocking(output, False)
        sandbox = AgentSandbox(name, control, output, self, spec)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting[name] = (sandbox, started)
        message = {"op": channel.START, "id": name, "nest": nest, "ahead": spec.ahead}
        if nest is None:
            message = _start_message(name, spec, vacant=vacant)
        self.send(message, [runtime_end.detach(), output_end])
        try:
            async with asyncio.timeout(_START_S):
                if spec.greeting is not None:
                    await _greet(control, spec.greeting)
                await started
        except BaseException as error:
            self._starting.pop(name, None)
            self.send({"op": channel.KILL, "id": name}, [])
            control.close()
            os.close(output)
            for listener in (sandbox.endpoint, sandbox.runtime_api):
                if listener is not None:
                    listener.close()
            if isinstance(error, TimeoutError):
                raise SandboxStartError(f"the sandbox was not there after {_START_S:.0f} s") from None
            raise
        return sandbox

    async def vacant(self, spec: SandboxSpec) -> AgentSandbox:
        """A sandbox without a function, which `fit` gives it: of `spec`, only runtime and limits count."""
        return await self._start(spec, vacant=True)

    async def fit(self, sandbox: AgentSandbox, spec: SandboxSpec) -> None:
        """Show the function of `spec` in a sandbox that `vacant` made for such limits; `SandboxStartError`."""
        fitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._fitting[sandbox.id] = fitted
        self.send({**_start_message(sandbox.id, spec), "op": channel.FIT}, [])
        try:
            async with asyncio.timeout(_START_S):
                await fitted
        except TimeoutError:
            raise SandboxStartError(f"the sandbox did not get its function within {_START_S:.0f} s") from None
        finally:
            self._fitting.pop(sandbox.id, None)
        sandbox.fitted(spec.owner)

    async def close(self) -> None:
        """Have the agent clean up, and see it gone."""
        if not self.dead:
            self.send({"op": channel.CLOSE}, [])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), _AGENT_END_S)
        self._lost()
        await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        try:
            self._process.wait(_AGENT_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """Send, now or as soon as the agent reads; the descriptors are closed then. To a dead agent: nothing."""
        if self.dead:
            _close(descriptors)
            return
        self._outbox.append((message, descriptors))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._outbox:
            message, descriptors = self._outbox[0]
            try:
                channel.send(self._channel, message, descriptors)
            except BlockingIOError:
                loop.add_writer(self._channel, self._flush)
                return
            except ConnectionError:
                return  # reading will tell
            self._outbox.popleft()
            _close(descriptors)
        loop.remove_writer(self._channel)

    def _readable(self) -> None:
        for _ in range(64):  # let others have their turn
            try:
                received = channel.receive(self._channel)
            except BlockingIOError:
                return
            except ConnectionError:
                received = None
            if received is None:
                self._lost()
                return
            self._heard(*received)

    def _heard(self, message: dict[str, Any], descriptors: list[int]) -> None:
        operation, name = message["op"], message.get("id", "")
        if operation == channel.STARTED:
            self._heard_started(name, message.get("origin", "interpreter"), descriptors, message.get("heard", False))
        elif operation == channel.EXITED:
            self._heard_exited(name, message["reason"], message["code"], message["peak"])
        elif operation == channel.FITTED:
            error = message.get("error")
            _resolve(self._fitting.pop(name, None), SandboxStartError(error) if error else None)
        elif operation == channel.DIALLED:
            self._heard_sockets(name, AgentSandbox.dialled, descriptors, message.get("error", ""))
        elif operation == channel.LISTENED:
            self._heard_sockets(name, AgentSandbox.listened, descriptors, message.get("error", ""))
        elif operation == channel.PREPARED:
            _resolve(self._preparing.pop(message["runtime"], None))
        elif operation == channel.READY:
            self.layers = tuple(message.get("layers", self.layers))
            _resolve(self._ready)
        elif operation == channel.FAILED and name:
            if name in self._starting:
                kind = TemplateLostError if "template" in message else SandboxStartError
                _resolve(self._starting[name][1], kind(message["error"]))
        elif operation == channel.NESTED:
            nest = self._nests.get(message["nest"])
            if nest is None:
                _close(descriptors)
            else:
                nest.nested(*descriptors)
        elif operation == channel.HEARD and name:
            self._heard_sockets(name, self._listen, descriptors, "")
        elif operation == channel.HEARD:
            nest = self._nests.get(message["nest"])
            if nest is None:
                _close(descriptors)
            else:
                nest.listener = self._denials.listen(descriptors[0], nest.owner)
        elif operation in {channel.DROPPED, channel.FAILED} and "nest" in message:
            nest = self._nests.pop(message["nest"], None)
            if nest is not None:
                nest.lost(message["error"])
        elif operation == channel.FAILED:
            error = SandboxUnavailableError(message["error"])
            _resolve(self._preparing.pop(message["runtime"], None) if "runtime" in message else self._ready, error)

    def _heard_started(self, name: str, origin: Origin, descriptors: list[int], heard: bool) -> None:
        sandbox, started = self._starting.pop(name, (None, None))
        if sandbox is None or started is None or started.cancelled():
            _close(descriptors)  # nobody wants it any more; its end is on its way
            return
        hear = functools.partial(self._denials.listen, owner=sandbox.owner) if heard else None
        sandbox.running(origin, descriptors, hear)
        self._sandboxes[name] = sandbox
        _resolve(started)

    def _listen(self, sandbox: AgentSandbox, descriptors: list[int], _: str) -> None:
        """Its filter's listener came after it had started."""
        sandbox.heard(self._denials.listen(descriptors[0], sandbox.owner))

    def _heard_sockets(
        self, name: str, tell: Callable[[AgentSandbox, list[int], str], None], descriptors: list[int], error: str
    ) -> None:
        sandbox = self._sandboxes.get(name)
        if sandbox is None:
            _close(descriptors)
        else:
            tell(sandbox, descriptors, error)

    def _heard_exited(
        self, name: str, reason: Literal["exited", "signaled", "out-of-memory", "killed"], code: int, peak: int
    ) -> None:
        sandbox = self._sandboxes.pop(name, None)
        _resolve(self._fitting.pop(name, None), SandboxStartError("the sandbox ended before it had its function"))
        if sandbox is not None:
            sandbox.ended(Exit(reason, code, peak))

    def _lost(self) -> None:
        """The agent is gone, and with it every sandbox: the kernel kills them when their parent dies."""
        self._gone.set()
        if self.dead:
            return
        self.dead = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._channel)
        loop.remove_writer(self._channel)
        self._channel.close()
        for _, descriptors in self._outbox:
            _close(descriptors)
        self._outbox.clear()
        unavailable = SandboxUnavailableError("the agent ended before it was ready")
        _resolve(self._ready, unavailable)
        for waiting in self._preparing.values():
            _resolve(waiting, unavailable)
        for _, started in self._starting.values():
            _resolve(started, SandboxStartError("the agent ended"))
        for fitting in self._fitting.values():
            _resolve(fitting, SandboxStartError("the agent ended"))
        for sandbox in self._sandboxes.values():
            sandbox.ended(Exit("killed", 9, sandbox.peak_memory()))
        for nest in self._nests.values():
            nest.lost("the agent ended")
        self._preparing.clear()
        self._sandboxes.clear()
        self._nests.clear()


async def _greet(control: socket.socket, greeting: Greeting) -> None:
    words = await greeting.words()
    with contextlib.suppress(ConnectionError):  # nobody is there, and word of that is on its way
        await asyncio.get_running_loop().sock_sendall(control, words)
        greeting.said = True


def _node(interpreter: Interpreter) -> dict[str, str]:
    """What a template of Node.js shows beside the machine's programs."""
    modules = str(interpreter.modules) if interpreter.modules is not None else ""
    return {"path": str(interpreter.path), "modules": modules, "bootstrap": str(parcel.node_bootstrap().parent)}


def _shown(interpreter: Interpreter, resident: dict[str, Any] | None) -> list[tuple[str, str]]:
    """What sandboxes of a runtime see of the machine beside what all of them do, and where."""
    if interpreter.language == "ruby":
        return [(str(path), str(path)) for path in rubies.shown(interpreter)]
    return [(str(path), place) for path, place in parcel.wrapped()] if resident is None else []


def _start_message(name: str, spec: SandboxSpec, *, vacant: bool = False) -> dict[str, Any]:
    return {
        "op": channel.START,
        "id": name,
        "runtime": spec.runtime,
        "code": str(spec.code.absolute()),
        "layers": [str(layer.absolute()) for layer in spec.layers],
        "memory_mb": spec.memory_mb,
        "ephemeral_mb": spec.ephemeral_mb,
        "processes": spec.processes,
        "open_files": spec.open_files,
        "cpus": spec.cpus,
        "label": spec.label,
        "ahead": spec.ahead,
        "vacant": vacant,
        "early": spec.pooled,
        "program": spec.program,
        "root": str(spec.root.absolute()) if spec.root is not None else None,
    }


def _resolve(future: asyncio.Future[Any] | None, error: Exception | None = None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
