"""A sandbox as the engine sees it: one isolated process tree with a control socket and an output pipe.

`agent` (namespaces, the default on Linux) and `process` (development only) implement `SandboxFactory`; both pass the
contract suite in `tests/sandbox`. A sandbox is started with a managed runtime already in it, or, where the
specification says `program`, with a *launcher* that starts executables; the frames of `sandbox.frames` travel over its
control socket, which no program ever sees. Programs speak to the server over sockets of the sandbox's own network:
they connect to `runtime_api`, and the server connects to them through `dial`.

Contract. `start` returns a sandbox that runs, or raises and leaves nothing behind. `kill` and `discard` may be called
at any time, any number of times, in any order; `exited` resolves exactly once, whoever ended the sandbox, and all
later calls answer the same. When it has resolved, no process of the sandbox is alive; when `discard` has returned,
its mounts, cgroups, descriptors and scratch space are gone too. Death of the factory's process ends every sandbox.

Freezing. Between `freeze` and `thaw` no process of a sandbox runs an instruction, and its memory does not grow. What is
sent to it waits in the socket; its clocks go on, as they do on AWS. Either MAY be called at any time, again, and after
the end. `kill` and `discard` end a frozen sandbox like any other, and so does the death of the factory's process.

Templates. `prepare_packages` and `prepare_function` make a *shared template* under a key that the caller chooses: a
process inside the function's own sandbox, from which sandboxes with that `SandboxSpec.template` are forked. It is as
hostile as the function itself. Either returns with a template that is ready, or raises and leaves nothing behind; a
refusal says in sentences what about the function stands in the way. A template MAY be lost at any time, by its own
fault or the machine's: `start` then raises `TemplateLostError`, nothing of that start is left, and the same
specification without a template starts. What is different between sandboxes of one template: process ids and
namespaces, /tmp, random numbers of `random`, `numpy.random` and whatever draws from the system. `drop_template` may be
called at any time for any key; running sandboxes do not notice.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from mayfly.errors import PlatformError
from mayfly.policy.egress import Egress


class SandboxUnavailableError(PlatformError):
    """This machine, or this user, cannot give the level that was asked for. The message names what is missing."""


class SandboxStartError(PlatformError):
    """The sandbox could not be made this time; the message says at which step and why."""


class TemplateRefusedError(PlatformError):
    """No template can be made of this function, at this level, or now; each reason is a sentence."""

    def __init__(self, *reasons: str, printed: str | None = None) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.printed = printed  # by what ran of the function; None: nothing did


class TemplateInitError(TemplateRefusedError):
    """The function's own init failed in its template, as it would in an instance; carries the error object (JSON)."""

    def __init__(self, payload: bytes, printed: str = "") -> None:
        super().__init__("the function's init failed", printed=printed)
        self.payload = payload


class TemplateTimeoutError(TemplateRefusedError):
    """The template was not ready in time; what it printed is not known."""

    def __init__(self, after_s: float) -> None:
        super().__init__(f"it was not ready after {after_s:.0f} s", printed="")


class TemplateEndedError(TemplateRefusedError):
    """The template ended before it was ready, for whatever reason; another attempt may succeed."""


class TemplateLostError(SandboxStartError):
    """The template of a specification does not exist, or could not be forked from. Start without it."""


Language = Literal["python", "nodejs", "java", "ruby"]


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python, Node.js, JDK or Ruby found on this machine."""

    version: tuple[int, int, int]
    path: Path  # the real executable, no shim, no virtual environment
    prefix: Path  # its installation: standard library included
    language: Language = "python"
    modules: Path | None = None  # a node_modules directory that functions see: the AWS SDK for JavaScript


class Greeting:
    """What a runtime is to hear first of all. Who makes its sandbox MAY say it, before the sandbox is there: then the
    runtime waits for nobody. Who does not leaves it to the caller of `start`."""

    def __init__(self, words: Callable[[], Awaitable[bytes]]) -> None:
        """`words` is awaited at most once a start, after all that takes long is under way; what it raises, the start
        raises."""
        self.words = words
        self.said = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What to start. Host paths are read-only inside."""

    runtime: str  # which template: "python3.11"; of a program: whose files it sees, or empty
    code: Path  # becomes /var/task, unless there is a `root`
    layers: tuple[Path, ...] = ()  # merged, in order, under /opt
    memory_mb: int = 128
    ephemeral_mb: int = 512  # size of /tmp
    processes: int = 1024
    open_files: int = 1024
    cpus: float = 1.0
    label: str = ""  # for people: shows in process titles; [A-Za-z0-9_-]{0,32}
    owner: str = ""  # whose it is, for what is told of its kind elsewhere: a function's ARN
    # Key of the shared template to fork from. All else must be what the template was made with; it is not looked at.
    template: str | None = None
    ahead: bool = False  # nobody waits for it: it may prepare itself until its first frame comes
    # Of Node.js: a process will do that was started before it knew its function. Its variables come later than others'.
    pooled: bool = False
    program: bool = False  # it holds a launcher, and no runtime
    # Of a program: a whole file system to show instead of the machine's own, `code` and `layers`; read-only but for
    # /tmp. It has the directories /dev, /proc and /tmp. What is in it belongs to others than the sandbox's user.
    root: Path | None = None
    level: str = "namespace"  # which factory's work it is, where there are several
    # What it may reach. A factory makes sandboxes that reach nothing; who makes one with this opens the way (`egress`).
    egress: Egress = Egress()  # noqa: RUF009 (frozen)
    greeting: Greeting | None = field(default=None, compare=False, repr=False)


# A process of its own, a clone of an interpreter with the standard library, a fork of a shared template, or a process
# that waited for its function.
Origin = Literal["process", "interpreter", "template", "pool"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A shared template that is ready. The figures are the template's own word."""

    modules: int  # that it imported
    took_ms: float
    printed: str = ""  # by init; what packages print when they are imported is in every instance's output


@dataclass(frozen=True, slots=True)
class Exit:
    """How a sandbox ended."""

    reason: Literal["exited", "signaled", "out-of-memory", "killed"]  # "killed": by `kill` or `discard`
    code: int  # exit status, or the signal's number
    peak_memory_bytes: int


class Place(NamedTuple):
    """Where something listens inside a sandbox."""

    kind: Literal["tcp", "udp"]
    address: str  # IPv4: of the loopback network, or any other, which is the loopback interface's in there from then on
    port: int


class Sandbox(Protocol):
    """One running sandbox."""

    @property
    def id(self) -> str: ...

    @property
    def origin(self) -> Origin:
        """What it was started from."""

    @property
    def control(self) -> socket.socket:
        """The server's end of the framed stream; non-blocking. The caller owns it from `start` on."""

    @property
    def output(self) -> int:
        """Read end of the pipe that is the sandbox's stdout and stderr; non-blocking. The caller owns it."""

    @property
    def endpoint(self) -> socket.socket | None:
        """A listening socket at 127.0.0.1:4566 *inside* the sandbox; None where it shares the host's network."""

    @property
    def runtime_api(self) -> socket.socket | None:
        """A listening socket inside the sandbox of a program, at 127.0.0.1:9001 where its network is its own. The
        caller owns it. None where there is no program."""

    @property
    def layers(self) -> tuple[str, ...]:
        """What separates it from the rest of the machine, each in a word or two; nothing that is not in force."""

    async def dial(self) -> socket.socket:
        """A TCP socket (IPv4, non-blocking, not connected) that belongs to the sandbox's network: connected to
        127.0.0.1, it speaks to a server inside. The caller owns it. `ConnectionError` when the sandbox has ended."""

    async def listen(self, places: Sequence["Place"]) -> list[socket.socket]:
        """Sockets in the sandbox's network that hear what is sent from within to these places, in their order; all or
        none. The caller owns them. `SandboxUnavailableError` where the network is the machine's, `SandboxStartError`
        when a place is taken, `ConnectionError` when the sandbox has ended."""

    async def exited(self) -> Exit:
        """Wait for the end."""

    def peak_memory(self) -> int:
        """The most memory used so far, in bytes. Asked after every call: at most one small read, no round trip."""

    def freeze(self) -> bool:
        """Stop every process of the sandbox until `thaw`; at most one small write, no round trip. False: it runs on,
        because this level, or this machine, cannot freeze, or because it has ended."""

    def thaw(self) -> None:
        """Let it run again. As cheap; nothing happens to a sandbox that runs."""

    def peak_file(self) -> int | None:
        """A descriptor that `sandbox.peak.read` finds the peak in, for other processes; None where there is none.

        It stays the sandbox's and is open until the end.
        """

    def limit_cpus(self, cpus: float) -> None:
        """Let all of its processes together use so many processors from now on; no round trip. Nothing happens where
        this level does not limit them, or when it has ended."""

    def kill(self) -> None:
        """End every process of the sandbox now."""

    async def discard(self) -> Exit:
        """`kill`, wait, and give back everything it used."""


class SandboxFactory(Protocol):
    """Makes sandboxes at one level of isolation."""

    @property
    def level(self) -> str:
        """The level's name: "namespace" or "process"."""

    async def prepare(self, runtime: str, interpreter: Interpreter) -> None:
        """Start the template of a runtime, so that `start` is fast. Idempotent; `start` needs it done."""

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """A running sandbox whose runtime waits for its first frame; `SandboxStartError`."""

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        """Make a template that imports the installed distributions among `modules`, in this order, and what is of the
        standard library, but nothing of the function's own. `environment`: without what differs between instances.

        Replaces a template of the same key. `TemplateRefusedError`.
        """

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        """Make a template that ran all of init and the hooks before a snapshot; instances run the hooks after one.

        `serve` gets the template's own endpoint (see `Sandbox.endpoint`) before init, and what it returns is called
        after it. Replaces a template of the same key. `TemplateRefusedError`; `TemplateInitError` when user code fails.
        """

    def drop_template(self, key: str) -> None:
        """Fork from it no more, and give it back. Idempotent."""

    def template_bytes(self, key: str) -> int:
        """The memory that a template has of its own; 0 where there is none, or it is not known."""

    async def close(self) -> None:
        """Discard every sandbox and template."""
