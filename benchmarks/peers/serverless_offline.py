"""serverless-offline: the Lambda endpoint that the Serverless Framework's plug-in opens, Python in child processes."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers import sources
from benchmarks.peers.exchange import first_reply, once
from benchmarks.peers.packages import NODE, npm_packages, python_packages
from benchmarks.peers.processes import environment, process
from benchmarks.peers.python_servers import INTERPRETER
from benchmarks.peers.subject import KINDS, About, Kind, Subject, Target
from benchmarks.platform import free_port

_FUNCTIONS = 100  # of each kind, each of them cold once
_NPM = ("serverless==3.40.0", "serverless-offline==13.9.0")
_HOLD_S = 1.0


class ServerlessOffline:
    """The emulator that developers of Lambda functions most often have, in the last version that wants no login."""

    about = About(
        name="serverless-offline",
        title="serverless-offline",
        requires=(*_NPM, *sources.PACKAGES),
        language="Python",
        isolates="nothing: child processes of the same user",
        signatures="no",
        logs="to its console",
        meters="no",
        serves="its Lambda endpoint's Invoke, which answers twice as many as its HTTP routes",
        cold="HTTP request to reply of a function that was not called before, so that it starts a Python process",
        instance="another Python process of a function",
    )

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        npm_packages(home, _NPM)
        python_packages(home / "python", INTERPRETER, sources.PACKAGES)

    @contextmanager
    def running(self, home: Path) -> Iterator[Subject]:
        service, http, port = home / "service", free_port(), free_port()
        service.mkdir(exist_ok=True)
        (service / "node_modules").unlink(missing_ok=True)
        (service / "node_modules").symlink_to(home / "node_modules")
        for kind in KINDS:
            (service / f"{sources.module(kind)}.py").write_text(sources.for_lambda(kind))
        (service / "serverless.json").write_text(json.dumps(_service(http, port)))
        program = home / "node_modules" / "serverless" / "bin" / "serverless.js"
        path = os.pathsep.join([str(home / "python" / "venv" / "bin"), str(NODE.parent), environment()["PATH"]])
        quiet = {"PATH": path, "SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"}
        with process([NODE, program, "offline", "start"], home / "server.log", quiet, service):
            emulator = _Emulator(port)
            first_reply(emulator.target())
            yield emulator


class _Emulator:
    def __init__(self, port: int) -> None:
        self._port = port
        self._used: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._idle: dict[Kind, int] = dict.fromkeys(KINDS, 0)

    def target(self) -> Target:
        return self._target("warm", "hello", {})

    def cold(self, kind: Kind) -> float:
        self._used[kind] += 1
        return once(self._target(f"cold{self._used[kind]}", kind, {}))

    def add(self, kind: Kind, count: int) -> int:
        """As many calls at once as there are to be instances."""
        self._idle[kind] += count
        target = self._target("many", kind, {"hold": _HOLD_S})
        with ThreadPoolExecutor(self._idle[kind]) as pool:
            list(pool.map(lambda _: once(target), range(self._idle[kind])))
        return count

    def _target(self, role: str, kind: Kind, event: dict[str, Any]) -> Target:
        path = f"/2015-03-31/functions/peer-dev-{role}-{kind}/invocations"
        body = json.dumps(sources.lambda_reply(kind), separators=(",", ":")).encode()
        return Target(self._port, sources.post(self._port, path, json.dumps(event).encode()), body)


def _service(http: int, port: int) -> dict[str, Any]:
    """The service's configuration: one function to keep warm, one to have many of, and many to be cold."""
    roles = ("warm", "many", *(f"cold{number}" for number in range(1, _FUNCTIONS + 1)))
    offline = {"httpPort": http, "lambdaPort": port, "noTimeout": True, "terminateIdleLambdaTime": 3600}
    return {
        "service": "peer",
        "frameworkVersion": "3",
        "provider": {"name": "aws", "runtime": "python3.11", "region": "us-east-1", "stage": "dev"},
        "plugins": ["serverless-offline"],
        "custom": {"serverless-offline": offline},
        "functions": {
            f"{role}-{kind}": {"handler": f"{sources.module(kind)}.handler"} for role in roles for kind in KINDS
        },
    }
