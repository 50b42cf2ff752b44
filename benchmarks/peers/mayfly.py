"""Mayfly as a subject of measurement: a signed Invoke, logged and metered; and its function URL as a peer of it."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers import sources
from benchmarks.peers.exchange import once
from benchmarks.peers.processes import memory_mb
from benchmarks.peers.subject import OURS, About, Kind, Subject, Target
from benchmarks.platform import Running, descendants, make_function, zipped, zipped_with

_PAUSE_S = 6 * sources.ENDS_S  # between two starts: an instance is gone by then
_TRIES = 5
_TEMPLATE_S = 3.0  # a version's packages are imported into a template in the background
_HOLD_S = 1.0


class Mayfly:
    """The platform; a function is made when it is first asked for, so that memory before that is without it."""

    def __init__(self, platform: Running) -> None:
        self._platform = platform
        self._made: set[str] = set()
        self._idle: dict[Kind, int] = {}

    def pids(self) -> set[int]:
        """All its processes."""
        return {self._platform.pid, *descendants(self._platform.pid)}

    def target(self) -> Target:
        return self._target("warm", "hello", {})

    def url_target(self) -> Target:
        """Calls of hello through its function URL."""
        name, client = self._function("warm", "hello"), self._platform.client("lambda")
        grant = {"FunctionName": name, "Principal": "*"}
        client.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
        client.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
        url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
        return Target(self._platform.port, self._platform.url_request(url), sources.ANSWERS["hello"].encode())

    def cold(self, kind: Kind) -> float:
        """On a busy machine an ended instance may get a call before it is gone; that one was not cold, and fails."""
        target = self._target("cold", kind, {"end": True})
        for _ in range(_TRIES):
            try:
                return once(target)
            except RuntimeError as error:
                if "Runtime.ExitError" not in str(error):
                    raise
            finally:
                time.sleep(_PAUSE_S)
        raise RuntimeError("instances do not end in time for a cold start")

    def add(self, kind: Kind, count: int) -> int:
        """As many calls at once as there are to be instances."""
        wanted = self._idle.get(kind, 0) + count
        target = self._target("many", kind, {"hold": _HOLD_S})
        with ThreadPoolExecutor(wanted) as pool:
            list(pool.map(lambda _: once(target), range(wanted)))
        self._idle[kind] = wanted
        return count

    def memory_mb(self) -> float:
        return memory_mb(list(self.pids()))

    def _target(self, role: str, kind: Kind, event: dict[str, object]) -> Target:
        body = json.dumps(sources.lambda_reply(kind)).encode()
        request = self._platform.invoke_request(self._function(role, kind), json.dumps(event).encode())
        return Target(self._platform.port, request, body)

    def _function(self, role: str, kind: Kind) -> str:
        """A function that was started once before, and its name."""
        name = f"{role}-{kind}"
        if name not in self._made:
            source = sources.for_lambda(kind)
            package = zipped_with(source, *sources.PACKAGES) if kind == "pandas" else zipped(source)
            make_function(self._platform, name, source, memory_mb=512, package=package)
            self._made.add(name)
            once(self._target(role, kind, {"end": True}))
            time.sleep(_TEMPLATE_S)
        return name


class FunctionUrl:
    """Mayfly's other way in: unsigned HTTP to the function, as most peers are called."""

    about = About(
        name=OURS,
        title="Mayfly, function URL",
        requires=(),
        language="Python",
        isolates="like Mayfly's Invoke: namespaces, cgroup, seccomp, no capabilities",
        signatures="no",
        logs="yes",
        meters="yes",
        serves="the same function, by unsigned GET",
        cold="not measured: the same as Invoke's",
        instance="not measured: the same as Invoke's",
    )

    def __init__(self, mayfly: Mayfly) -> None:
        self._mayfly = mayfly

    def missing(self) -> str | None:
        return None

    def install(self, home: Path) -> None:
        """Nothing: it is Mayfly."""

    @contextmanager
    def running(self, home: Path) -> Iterator[Subject]:
        yield _ThroughUrl(self._mayfly.url_target())


class _ThroughUrl:
    def __init__(self, target: Target) -> None:
        self._target = target

    def target(self) -> Target:
        return self._target

    def cold(self, kind: Kind) -> None:
        return None

    def add(self, kind: Kind, count: int) -> int:
        return 0
