"""The least that runs unmodified Lambda functions: AWS's published runtime client, fed by a loop of some 200 lines."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import sources
from benchmarks.peers.exchange import first_reply, once
from benchmarks.peers.packages import python_packages
from benchmarks.peers.processes import process
from benchmarks.peers.python_servers import INTERPRETER
from benchmarks.peers.subject import KINDS, About, Kind, Subject, Target
from benchmarks.platform import free_port

_PROGRAM = Path(__file__).parent / "programs" / "runtime_api.py"
_HOLD_S = 1.0
_PAUSE_S = 6 * sources.ENDS_S  # between two starts: a process is gone by then


class RuntimeApi:
    """`programs/runtime_api.py`, which starts an `awslambdaric` where no idle one is left."""

    about = About(
        name="awslambdaric",
        title="a minimal Runtime API loop around awslambdaric",
        requires=("awslambdaric==4.2.2", "uvloop==0.23.0", "httptools==0.9.0", *sources.PACKAGES),
        language="Python",
        isolates="nothing: child processes of the same user",
        signatures="no",
        logs="no",
        meters="no",
        serves="an HTTP front of its own on uvloop and httptools; one process a call in flight",
        cold="HTTP request to reply where no process of the function runs",
        instance="another process of awslambdaric",
    )

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        python_packages(home, INTERPRETER, self.about.requires)
        for kind in KINDS:
            (home / f"{sources.module(kind)}.py").write_text(sources.for_lambda(kind))

    @contextmanager
    def running(self, home: Path) -> Iterator[Subject]:
        port = free_port()
        command: list[str | Path] = [home / "venv" / "bin" / "python", _PROGRAM, str(port)]
        with process(command, home / "server.log", cwd=home):
            subject = _Loop(port)
            first_reply(subject.target())
            yield subject


class _Loop:
    """A function is a name; its code is what the name begins with."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: dict[Kind, int] = dict.fromkeys(KINDS, 0)

    def target(self) -> Target:
        return self._target("hello", "warm", {})

    def cold(self, kind: Kind) -> float:
        took = once(self._target(kind, "cold", {"end": True}))
        time.sleep(_PAUSE_S)
        return took

    def add(self, kind: Kind, count: int) -> int:
        """As many calls at once as there are to be instances."""
        self._idle[kind] += count
        target = self._target(kind, "many", {"hold": _HOLD_S})
        with ThreadPoolExecutor(self._idle[kind]) as pool:
            list(pool.map(lambda _: once(target), range(self._idle[kind])))
        return count

    def _target(self, kind: Kind, role: str, event: dict[str, object]) -> Target:
        body = json.dumps(sources.lambda_reply(kind)).encode()
        request = sources.post(self._port, f"/{sources.module(kind)}-{role}", json.dumps(event).encode())
        return Target(self._port, request, body)
