"""One server process from start to end: lock, port, agent, event loop, signals."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from mayfly import __version__
from mayfly.app import garbage
from mayfly.app.directory import DataDirectory, ServerInfo
from mayfly.app.levels import oci_factory
from mayfly.app.options import ServerOptions, most_pooled
from mayfly.app.platform import Platform
from mayfly.app.sandboxes import Interpreters
from mayfly.clock import SystemClock
from mayfly.http.server import bind
from mayfly.sandbox import facts
from mayfly.sandbox.api import SandboxFactory, SandboxUnavailableError
from mayfly.sandbox.denials import Denials
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory
from mayfly.settings import Settings

DRAIN_S = 30.0
# How long a busy thread may keep the interpreter from the others. At the default of 5 ms, a busy event loop makes
# the store's threads wait so often that a write takes 200 ms at p99 instead of 2.
SWITCH_INTERVAL_S = 0.0001

Ready = Callable[[ServerInfo], None]
Stopping = Callable[[int], None]


def serve(options: ServerOptions, ready: Ready, stopping: Stopping) -> None:
    """Run a platform until SIGTERM, SIGINT or SIGHUP, then drain it; `MayflyError` when it cannot start.

    `ready` is called once, when requests are answered; `stopping` with the number of requests under way when the drain
    begins. A second signal ends the drain.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("samtranslator.metrics").setLevel(
        logging.ERROR
    )  # warns that nobody sends its makers their counts
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    _raise_file_limit()
    directory = DataDirectory(options.data)
    settings = options.settings(directory.root)
    directory.make()
    directory.acquire()
    try:
        directory.settle(settings.account, settings.region)
        with contextlib.closing(bind(settings.http)) as listener:
            # The agent is started before there is a loop or a thread, so that it inherits neither.
            denials = Denials(SystemClock())
            factory = _factory(settings, directory, denials)
            uvloop.run(_serve(options, settings, directory, listener, factory, denials, ready, stopping))
    finally:
        directory.release()


def _raise_file_limit() -> None:
    """As many open files as the system lets us have: each instance takes some, and shells give 1,024 by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):  # macOS refuses its own hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _factory(settings: Settings, directory: DataDirectory, denials: Denials) -> SandboxFactory:
    if settings.engine.isolation == "process":
        return ProcessFactory()
    directory.certificates.make(SystemClock().now())
    shared = (directory.certificates.shown,)
    if settings.engine.isolation != "namespace":
        return oci_factory(settings.engine.isolation, settings.engine, directory.oci, denials, shared)
    return AgentFactory.launch(directory.sandbox, denials, most_pooled(settings), shared)


async def _serve(
    options: ServerOptions,
    settings: Settings,
    directory: DataDirectory,
    listener: socket.socket,
    factory: SandboxFactory,
    denials: Denials,
    ready: Ready,
    stopping: Stopping,
) -> None:
    stop = asyncio.Event()
    hurry = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in _ending():
        loop.add_signal_handler(number, on_signal)
    host, port = listener.getsockname()[:2]
    info = ServerInfo(
        pid=os.getpid(),
        url=f"http://{_reachable(host)}:{port}",
        listening=f"{host}:{port}",
        region=settings.region,
        account=settings.account,
        isolation=settings.engine.isolation,
        version=__version__,
        started_at=time.time(),
    )
    # The machine's interpreters are asked for their versions while the agent starts.
    discovery = asyncio.create_task(_discover(settings, directory), name="discovery")
    try:
        if isinstance(factory, AgentFactory):
            await _attach(factory)
        platform = await Platform.start(options, settings, directory, info, factory, denials, discovery)
    except BaseException:
        discovery.cancel()
        await factory.close()
        raise
    try:
        await platform.listen(listener)
        garbage.settle()
        directory.announce(info)
        ready(info)
        await stop.wait()
        stopping(platform.under_way())
    finally:
        await _stop(platform, hurry)


def _ending() -> list[signal.Signals]:
    """The signals by which a server is told to stop: a terminal that closes is one, unless `nohup` wishes otherwise."""
    ending = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        ending.append(signal.SIGHUP)
    return ending


async def _discover(settings: Settings, directory: DataDirectory) -> Interpreters:
    return await Interpreters.discover(
        os.environ.get("PATH", ""),
        Path.home(),
        directory.runtimes,
        directory.interpreters,
        java_home=os.environ.get("JAVA_HOME", ""),
        substitute=settings.engine.runtime_substitution,
        retired=settings.engine.retired_runtimes,
    )


async def _attach(factory: AgentFactory) -> None:
    """Wait for the agent; what keeps it from isolating functions is named, with cures."""
    try:
        await factory.attach()
    except SandboxUnavailableError as error:
        reasons = facts.obstacles(await asyncio.to_thread(facts.examine)) or [str(error)]
        raise SandboxUnavailableError(
            f"functions cannot be isolated on this machine: {'; '.join(reasons)}. "
            "`mayfly doctor` says more; for development without isolation, ask for --isolation process"
        ) from error


async def _stop(platform: Platform, hurry: asyncio.Event) -> None:
    """Drain, unless told to hurry."""
    hurried = asyncio.create_task(hurry.wait())
    drained = asyncio.create_task(platform.stop(DRAIN_S))
    await asyncio.wait((hurried, drained), return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not drained.done():
        platform.hurry()
    await drained


def _reachable(host: str) -> str:
    """An address that a client on this machine can use for a listener on `host`."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
