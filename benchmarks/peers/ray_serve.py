"""Ray Serve: deployments on a Ray of one node, which scale to zero and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

from benchmarks.peers import sources
from benchmarks.peers.exchange import once
from benchmarks.peers.packages import python_packages
from benchmarks.peers.processes import process, wait_for_line
from benchmarks.peers.python_servers import INTERPRETER
from benchmarks.peers.subject import About, Kind, Subject, Target
from benchmarks.platform import free_port

_PROGRAM = Path(__file__).parent / "programs" / "serve_deployments.py"


class RayServe:
    """The head node, its controller and its proxy, started by the driver program."""

    about = About(
        name="ray-serve",
        title="Ray Serve",
        requires=("ray[serve]==2.60.0", *sources.PACKAGES),
        language="Python",
        isolates="nothing: worker processes of the same user",
        signatures="no",
        logs="to files",
        meters="no",
        serves="a deployment of one replica behind Serve's HTTP proxy, access log off, dashboard off",
        cold="HTTP request to reply of a deployment that stands at zero replicas",
        instance="another replica, an actor in a process of its own",
    )

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        python_packages(home, INTERPRETER, self.about.requires)

    @contextmanager
    def running(self, home: Path) -> Iterator[Subject]:
        port = free_port()
        # The path of a socket holds some 100 characters, so Ray's own directory is not under `home`.
        with TemporaryDirectory(prefix="peer-ray-", ignore_cleanup_errors=True) as temporary:
            command: list[str | Path] = [home / "venv" / "bin" / "python", _PROGRAM, str(port), temporary]
            quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
            with process(command, home / "server.log", quiet, home, talks=True) as driver:
                wait_for_line(driver, "READY")
                yield _Deployments(port, driver)


class _Deployments:
    def __init__(self, port: int, driver: Popen[str]) -> None:
        self._port, self._driver = port, driver
        self._made = 0

    def target(self) -> Target:
        return self._target("/warm", "hello")

    def cold(self, kind: Kind) -> float:
        name = self._at_zero(kind)
        took = once(self._target(f"/{name}", kind))
        self._tell("delete", name)
        return took

    def add(self, kind: Kind, count: int) -> int:
        for _ in range(count):
            once(self._target(f"/{self._at_zero(kind)}", kind))
        return count

    def _at_zero(self, kind: Kind) -> str:
        self._made += 1
        name = f"{kind}-{self._made}"
        self._tell("deploy", name, kind)
        return name

    def _tell(self, *words: str) -> None:
        assert self._driver.stdin is not None
        self._driver.stdin.write(" ".join(words) + "\n")
        self._driver.stdin.flush()
        wait_for_line(self._driver, "DONE")

    def _target(self, path: str, kind: Kind) -> Target:
        return Target(self._port, sources.get(self._port, path), sources.ANSWERS[kind].encode())
