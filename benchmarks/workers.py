"""What `--workers` gives: the same calls with 0, 1 and 2 front processes, and the processor time of each role.

The servers run side by side, each loaded in its turn, so that a machine's moods meet all. The generator of the load,
one process, runs on the same machine: how far throughput rises with more processes is a matter of the processors that
are left for them. What a call costs each role is not, so that is what `docs/discussion/scaling-one-machine.md` computes
with.
"""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from benchmarks import floors, load
from benchmarks.platform import Running, descendants, make_function, running
from benchmarks.report import Report, Row

HELLO = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
REPLY = b'{"statusCode": 200, "body": "hello"}'
# What the floor is asked: as small as a request can be that carries the same payload.
FORWARDED = b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}"
WORKERS = (0, 1, 2)
CONNECTIONS = (16, 64)
ROUNDS = 5
SECONDS = 1.5
_COUNTED_S = 0.2  # within which a front has told the core of all its calls
_START_S = 60.0


@dataclass
class Spent:
    """Processor seconds by role, and the calls that they were spent on."""

    calls: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def each_us(self, role: str) -> float:
        """Microseconds a call."""
        return self.seconds.get(role, 0.0) / self.calls * 1e6


@dataclass(frozen=True)
class Server:
    """One platform, its requests, and what was seen."""

    platform: Running
    requests: dict[str, load.Subject]
    rates: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    spent: dict[tuple[str, int], Spent] = field(default_factory=dict)

    def measure(self, what: str, connections: int, seconds: float = SECONDS) -> load.Load:
        """One round of load."""
        spent = self.spent.setdefault((what, connections), Spent())
        with self._counting(spent):
            ran = load.run(self.requests[what], connections, seconds)
        if ran.errors:
            raise RuntimeError(f"{what}: {ran.errors} replies were errors")
        self.rates.setdefault((what, connections), []).append(ran.per_second)
        return ran

    @contextmanager
    def _counting(self, spent: Spent) -> Iterator[None]:
        """Add what happens meanwhile. The generator is a child that is gone afterwards."""
        roles, calls, generator = self._roles(), self._calls(), _children_s()
        before = {role: sum(map(_cpu_s, pids)) for role, pids in roles.items()}
        known = set(descendants(self.platform.pid))
        yield
        time.sleep(_COUNTED_S)
        roles["instances"] = [*roles["instances"], *(set(descendants(self.platform.pid)) - known)]
        after = {role: sum(map(_cpu_s, pids)) for role, pids in roles.items()}
        after["generator"], before["generator"] = _children_s(), generator
        spent.calls += self._calls() - calls
        for role, seconds in after.items():
            spent.seconds[role] = spent.seconds.get(role, 0.0) + seconds - before[role]

    def _roles(self) -> dict[str, list[int]]:
        below = descendants(self.platform.pid)
        fronts = [worker["pid"] for worker in self.platform.page("/_mayfly/status")["workers"]]
        return {"core": [self.platform.pid], "fronts": fronts, "instances": sorted(set(below) - set(fronts))}

    def _calls(self) -> int:
        return int(self.platform.page("/_mayfly/status")["engine"]["calls"])


def workers(platform: Running, report: Report) -> None:
    """On platforms of its own. `platform` is not used."""
    del platform
    isolation = "namespace" if os.geteuid() == 0 else "process"
    kinds = ("Invoke", "function URL")
    floor_rates: dict[int, list[float]] = {connections: [] for connections in CONNECTIONS}
    with ExitStack() as stack:
        floor = load.Subject(*stack.enter_context(floors.forwarding(2, 1)), FORWARDED, REPLY)
        servers = {count: _server(stack.enter_context(with_workers(isolation, count))) for count in WORKERS}
        for connections in CONNECTIONS:
            for _ in range(ROUNDS):
                floor_rates[connections].append(load.run(floor, connections, SECONDS).per_second)
                for server in servers.values():
                    for what in kinds:
                        server.measure(what, connections)
    for connections in CONNECTIONS:
        reference = statistics.median(floor_rates[connections])
        report.add(Row(f"workers: floor, forwarding to two, at {connections}", reference, "/s"))
        for what in kinds:
            for count, server in servers.items():
                rate = statistics.median(server.rates[what, connections])
                title = f"workers {count}: {what} at {connections}"
                report.add(Row(title, rate, "/s", reference, "two workers"))
                for role in ("core", "fronts", "instances", "generator"):
                    spent = server.spent[what, connections]
                    report.add(Row(f"{title}: processor time, {role}", spent.each_us(role), "µs"))


@contextmanager
def with_workers(isolation: str, count: int) -> Iterator[Running]:
    """A platform with so many front processes, all of which accept."""
    with running(isolation, "--workers", str(count)) as mine:
        deadline = time.monotonic() + _START_S
        while not all(worker["ready"] for worker in mine.page("/_mayfly/status")["workers"]):
            if time.monotonic() > deadline:
                raise RuntimeError("the workers did not start")
            time.sleep(0.05)
        yield mine


def _server(platform: Running) -> Server:
    client = platform.client("lambda")
    name = make_function(platform, "bench-workers", HELLO, memory_mb=512)
    grant = {"FunctionName": name, "Principal": "*"}
    client.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    client.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    function_url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    invoke, url = platform.invoke_request(name), platform.url_request(function_url)
    subjects = {
        "Invoke": load.Subject(platform.port, platform.pid, invoke, REPLY),
        "function URL": load.Subject(platform.port, platform.pid, url, b"hello"),
    }
    for subject in subjects.values():
        load.run(subject, max(CONNECTIONS), 1.0)  # instances and templates are made
    return Server(platform, subjects)


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process that may be gone."""
    try:
        return load.cpu_s(pid)
    except OSError:
        return 0.0


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
