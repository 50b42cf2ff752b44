"""The server's end of the agent: what it is asked, what it says, and the sandboxes that came of that.

Control socket, output pipe and endpoint of a sandbox go to whoever
started it, and a warm call never involves the agent. Used by `namespace` alone.
"""

import asyncio
import contextlib
import functools
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from mayfly.clock import SystemClock
from mayfly.sandbox import agent_messages
from mayfly.sandbox.agent import channel
from mayfly.sandbox.agent_process import AGENT, AgentProcess, Entry, close_all
from mayfly.sandbox.agent_sandbox import AgentSandbox, resolve
from mayfly.sandbox.api import (
    Exit,
    Greeting,
    Interpreter,
    Origin,
    SandboxSpec,
    SandboxStartError,
    SandboxUnavailableError,
    TemplateLostError,
    TemplateRefusedError,
)
from mayfly.sandbox.denials import Denials
from mayfly.sandbox.nest_client import Nest

_AGENT_START_S = 20.0
_AGENT_END_S = 15.0
_START_S = 30.0


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
        self._process = AgentProcess(directory, entry)
        self._shared = shared
        self._denials = denials or Denials(SystemClock())
        self._preparing: dict[str, asyncio.Future[None]] = {}
        self._starting: dict[str, tuple[AgentSandbox, asyncio.Future[None]]] = {}
        self._fitting: dict[str, asyncio.Future[None]] = {}
        self._sandboxes: dict[str, AgentSandbox] = {}
        self._nests: dict[str, Nest] = {}
        self._ready: asyncio.Future[None] | None = None
        self._gone: asyncio.Event = asyncio.Event()

    @property
    def dead(self) -> bool:
        """Whether the process is gone, and every sandbox with it."""
        return self._process.dead

    @property
    def layers(self) -> tuple[str, ...]:
        """What is in force in every sandbox."""
        return self._process.layers

    async def attach(self) -> None:
        self._ready = asyncio.get_running_loop().create_future()
        self._process.listen(self._heard, self._lost)
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
            waiting.add_done_callback(heed)
            self.send(agent_messages.prepare(runtime, interpreter, self._shared), [])
        await asyncio.shield(waiting)

    async def nest(self, spec: SandboxSpec) -> Nest:
        """A nest whose shared template waits for its PREPARE frame; `TemplateRefusedError`."""
        report, theirs = socket.socketpair()
        report.setblocking(False)
        name = uuid.uuid4().hex
        nest = self._nests[name] = Nest(name, report, spec.owner)
        self.send({**agent_messages.start(name, spec), "op": channel.NEST, "nest": name}, [theirs.detach()])
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
        sandbox = AgentSandbox(name, control, output, self._process, spec)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starting[name] = (sandbox, started)
        message = {"op": channel.START, "id": name, "nest": nest, "ahead": spec.ahead}
        if nest is None:
            message = agent_messages.start(name, spec, vacant=vacant)
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
        self.send({**agent_messages.start(sandbox.id, spec), "op": channel.FIT}, [])
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
        await asyncio.to_thread(self._process.reap)

    def send(self, message: dict[str, Any], descriptors: list[int]) -> None:
        """See `AgentProcess.send`."""
        self._process.send(message, descriptors)

    def _heard(self, message: dict[str, Any], descriptors: list[int]) -> None:
        operation, name = message["op"], message.get("id", "")
        if operation == channel.STARTED:
            self._heard_started(name, message.get("origin", "interpreter"), descriptors, message.get("heard", False))
        elif operation == channel.EXITED:
            self._heard_exited(name, message["reason"], message["code"], message["peak"])
        elif operation == channel.FITTED:
            error = message.get("error")
            resolve(self._fitting.pop(name, None), SandboxStartError(error) if error else None)
        elif operation == channel.DIALLED:
            self._heard_sockets(name, AgentSandbox.dialled, descriptors, message.get("error", ""))
        elif operation == channel.LISTENED:
            self._heard_sockets(name, AgentSandbox.listened, descriptors, message.get("error", ""))
        elif operation == channel.PREPARED:
            resolve(self._preparing.pop(message["runtime"], None))
        elif operation == channel.READY:
            self._process.layers = tuple(message.get("layers", self.layers))
            resolve(self._ready)
        elif operation == channel.FAILED and name:
            if name in self._starting:
                kind = TemplateLostError if "template" in message else SandboxStartError
                resolve(self._starting[name][1], kind(message["error"]))
        elif operation == channel.NESTED:
            nest = self._nests.get(message["nest"])
            if nest is None:
                close_all(descriptors)
            else:
                nest.nested(*descriptors)
        elif operation == channel.HEARD and name:
            self._heard_sockets(name, self._listen, descriptors, "")
        elif operation == channel.HEARD:
            nest = self._nests.get(message["nest"])
            if nest is None:
                close_all(descriptors)
            else:
                nest.listener = self._denials.listen(descriptors[0], nest.owner)
        elif operation in {channel.DROPPED, channel.FAILED} and "nest" in message:
            nest = self._nests.pop(message["nest"], None)
            if nest is not None:
                nest.lost(message["error"])
        elif operation == channel.FAILED:
            error = SandboxUnavailableError(message["error"])
            resolve(self._preparing.pop(message["runtime"], None) if "runtime" in message else self._ready, error)

    def _heard_started(self, name: str, origin: Origin, descriptors: list[int], heard: bool) -> None:
        sandbox, started = self._starting.pop(name, (None, None))
        if sandbox is None or started is None or started.cancelled():
            close_all(descriptors)  # nobody wants it any more; its end is on its way
            return
        hear = functools.partial(self._denials.listen, owner=sandbox.owner) if heard else None
        sandbox.running(origin, descriptors, hear)
        self._sandboxes[name] = sandbox
        resolve(started)

    def _listen(self, sandbox: AgentSandbox, descriptors: list[int], _: str) -> None:
        """Its filter's listener came after it had started."""
        sandbox.heard(self._denials.listen(descriptors[0], sandbox.owner))

    def _heard_sockets(
        self, name: str, tell: Callable[[AgentSandbox, list[int], str], None], descriptors: list[int], error: str
    ) -> None:
        sandbox = self._sandboxes.get(name)
        if sandbox is None:
            close_all(descriptors)
        else:
            tell(sandbox, descriptors, error)

    def _heard_exited(
        self, name: str, reason: Literal["exited", "signaled", "out-of-memory", "killed"], code: int, peak: int
    ) -> None:
        sandbox = self._sandboxes.pop(name, None)
        resolve(self._fitting.pop(name, None), SandboxStartError("the sandbox ended before it had its function"))
        if sandbox is not None:
            sandbox.ended(Exit(reason, code, peak))

    def _lost(self) -> None:
        """The agent is gone, and with it every sandbox: the kernel kills them when their parent dies."""
        self._gone.set()
        if self.dead:
            return
        self._process.drop()
        unavailable = SandboxUnavailableError("the agent ended before it was ready")
        resolve(self._ready, unavailable)
        for waiting in self._preparing.values():
            resolve(waiting, unavailable)
        for _, started in self._starting.values():
            resolve(started, SandboxStartError("the agent ended"))
        for fitting in self._fitting.values():
            resolve(fitting, SandboxStartError("the agent ended"))
        for sandbox in self._sandboxes.values():
            sandbox.ended(Exit("killed", 9, sandbox.peak_memory()))
        for nest in self._nests.values():
            nest.lost("the agent ended")
        self._preparing.clear()
        self._sandboxes.clear()
        self._nests.clear()


def heed(future: asyncio.Future[None]) -> None:
    """Take note of how it ended: whoever waited for it may have gone away."""
    if not future.cancelled():
        future.exception()


async def _greet(control: socket.socket, greeting: Greeting) -> None:
    words = await greeting.words()
    with contextlib.suppress(ConnectionError):  # nobody is there, and word of that is on its way
        await asyncio.get_running_loop().sock_sendall(control, words)
        greeting.said = True
