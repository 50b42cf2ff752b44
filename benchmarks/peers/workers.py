"""JavaScript on workerd, Cloudflare's runtime, by itself and under miniflare, its development server."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.peers import sources
from benchmarks.peers.exchange import first_reply, once
from benchmarks.peers.packages import NODE, npm_packages
from benchmarks.peers.processes import process
from benchmarks.peers.servers import Launch, servers
from benchmarks.peers.subject import About, Kind, Subject, Target
from benchmarks.platform import free_port

_PROGRAMS = Path(__file__).parent / "programs"
_HELLO = 'export default { async fetch() { return new Response("hello"); } };'
_CONFIGURATION = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "warm", worker = .warm), (name = "fresh", worker = .fresh)],
  sockets = [
    (name = "warm", address = "127.0.0.1:{warm}", http = (), service = "warm"),
    (name = "fresh", address = "127.0.0.1:{fresh}", http = (), service = "fresh"),
  ]
);
const warm :Workerd.Worker = (
  modules = [(name = "hello.mjs", esModule = embed "hello.mjs")],
  compatibilityDate = "2026-01-01",
);
const fresh :Workerd.Worker = (
  modules = [(name = "fresh.mjs", esModule = embed "fresh.mjs"), (name = "hello.txt", text = embed "hello.mjs")],
  compatibilityDate = "2026-01-01",
  bindings = [(name = "LOADER", workerLoader = ())],
);
"""


class Workerd:
    """One process, one thread, an isolate of V8 for each worker."""

    about = About(
        name="workerd",
        title="workerd",
        requires=("workerd==1.20261117.1",),
        language="JavaScript",
        isolates="V8 isolates in one process; its authors say that it is no hardened sandbox by itself",
        signatures="no",
        logs="no",
        meters="no",
        serves="a worker of its configuration",
        cold="HTTP request to reply of a worker that was not called before, through one that loads it: a new isolate",
        instance="another isolate in the same process",
    )

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        npm_packages(home, self.about.requires)
        (home / "hello.mjs").write_text(_HELLO)
        (home / "fresh.mjs").write_text((_PROGRAMS / "fresh.mjs").read_text())

    @contextmanager
    def running(self, home: Path) -> Iterator[Subject]:
        warm, fresh = free_port(), free_port()
        (home / "config.capnp").write_text(_CONFIGURATION.format(warm=warm, fresh=fresh))
        command: list[str | Path] = [
            home / "node_modules" / "workerd" / "bin" / "workerd",
            "serve",
            "config.capnp",
            "--experimental",
        ]
        with process(command, home / "server.log", cwd=home):
            subject = _Isolates(warm, fresh)
            first_reply(subject.target())
            yield subject


class _Isolates:
    def __init__(self, warm: int, fresh: int) -> None:
        self._warm, self._fresh = warm, fresh
        self._made = 0

    def target(self) -> Target:
        return Target(self._warm, sources.get(self._warm), sources.ANSWERS["hello"].encode())

    def cold(self, kind: Kind) -> float | None:
        if kind != "hello":
            return None
        self._made += 1
        request = sources.get(self._fresh, f"/worker-{self._made}")
        return once(Target(self._fresh, request, sources.ANSWERS["hello"].encode()))

    def add(self, kind: Kind, count: int) -> int:
        if kind != "hello":
            return 0
        for _ in range(count):
            self.cold(kind)
        return count


class Miniflare:
    """workerd behind a proxy in Node, as `wrangler dev` runs it."""

    about = About(
        name="miniflare",
        title="miniflare",
        requires=("miniflare==4.20260730.0",),
        language="JavaScript",
        isolates="as workerd",
        signatures="no",
        logs="no",
        meters="no",
        serves="one worker, through its own HTTP server",
        cold="process start to first reply: it does not scale to zero",
        instance="another miniflare",
    )

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        npm_packages(home, self.about.requires)
        (home / "hello.mjs").write_text(_HELLO)
        (home / "miniflare.mjs").write_text((_PROGRAMS / "miniflare.mjs").read_text())

    def running(self, home: Path) -> AbstractContextManager[Subject]:
        def command(kind: Kind, port: int) -> list[str | Path]:
            return [NODE, home / "miniflare.mjs", home / f"{kind}.mjs", str(port)]

        return servers(Launch(command, ("hello",)), home)
