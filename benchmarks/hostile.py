"""A hundred functions of ten tenants on one machine, ten of them hostile: what the others notice.

Each of ninety functions is called at a steady pace, due times fixed beforehand, so that a call that waits is counted
from when it was due. Rounds with the hostile ones at work alternate with rounds without them. A tenant is a role of
its own: there is one account a platform. Nothing may be lost: each call of the ninety has its own right answer, each
call of the ten has an answer, and the ledger counts exactly the calls that were made.
"""

import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.platform import Running, zipped
from benchmarks.report import Report, Row, console

TENANTS, EACH = 10, 10
ROUNDS = 3
SECONDS = 8.0
PACE_S = 1.0  # between calls of one function
HOSTILE_TIMEOUT_S = 3
PATIENCE_S = 120.0

_QUIET = "def handler(event, context):\n    return event\n"
_KINDS = {
    "fork bomb": (
        "import os\ndef handler(e, c):\n    while True:\n        try: os.fork()\n        except OSError: pass\n"
    ),
    "memory hog": "def handler(e, c):\n    held = []\n    while True: held.append(bytearray(1 << 20))\n",
    "disk filler": (
        "def handler(e, c):\n    with open('/tmp/f', 'wb') as f:\n        while True: f.write(bytes(1 << 20))\n"
    ),
    "log flooder": (
        "import os\ndef handler(e, c):\n    line = b'x' * 4095 + b'\\n'\n    while True: os.write(1, line)\n"
    ),
    "processor burner": "def handler(e, c):\n    while True: pass\n",
    "descriptor hog": (
        "import os, time\ndef handler(e, c):\n    held = []\n    try:\n        while True: held.append(os.dup(0))\n"
        "    except OSError: time.sleep(60)\n"
    ),
    "slow client": (
        "import socket, time\nheld = []\ndef handler(e, c):\n    try:\n        while len(held) < 500:\n"
        "            s = socket.create_connection(('127.0.0.1', 4566), 1)\n"
        "            s.sendall(b'POST / HTTP/1.1\\r\\nhost: x\\r\\ncontent-le')\n            held.append(s)\n"
        "    except OSError: pass\n    time.sleep(60)\n"
    ),
    "crasher": "import os\ndef handler(e, c): os._exit(1)\n",
    "garbage answerer": "import os\ndef handler(e, c):\n    os.write(3, b'\\xff' * 65536)\n",
    "sleeper": "import time\ndef handler(e, c): time.sleep(60)\n",
}


@dataclass
class Seen:
    """What one round of load saw."""

    latencies_ms: list[float] = field(default_factory=list)  # of the quiet ones
    wrong: int = 0  # answers to the quiet ones that were not theirs
    calls: Counter[str] = field(default_factory=Counter)  # by function; of the hostile ones, too
    unanswered: Counter[str] = field(default_factory=Counter)

    def p99_ms(self) -> float:
        return sorted(self.latencies_ms)[int(len(self.latencies_ms) * 0.99)]


def hostile(platform: Running, report: Report) -> None:
    """The 99th percentile of the ninety, with and without the ten."""
    quiet, attackers = _deploy(platform)
    requests = {
        name: platform.invoke_request(name, json.dumps(name).encode()) for name in (*quiet, *attackers.values())
    }
    began = time.time()
    calls = _round(platform, requests, quiet, [], PACE_S).calls  # each has an instance
    alone: list[Seen] = []
    among: list[Seen] = []
    for _ in range(ROUNDS):
        alone.append(_round(platform, requests, quiet, [], SECONDS))
        among.append(_round(platform, requests, quiet, list(attackers.values()), SECONDS))
    for seen in (*alone, *among):
        calls += seen.calls
        if seen.wrong or seen.unanswered:
            raise RuntimeError(f"hostile: {seen.wrong} wrong answers, none for {dict(seen.unanswered)}")
    _compare(platform, calls, began)
    without, beside = _median(alone), _median(among)
    load_average = os.getloadavg()[0]
    report.add(
        Row("90 functions beside 10 hostile ones: latency, p99", beside, "ms", without, "without the hostile ones"),
        Row("the same, median", _middle(among), "ms", _middle(alone), "without the hostile ones"),
        Row("calls of 100 functions, all answered and metered", calls.total(), "calls"),
        Row("load average of the machine at the end", load_average, "processes"),
    )
    for kind, name in attackers.items():
        console.print(f"    {kind:<18} {calls[name]:>5} calls")


def _median(rounds: list[Seen]) -> float:
    return statistics.median(seen.p99_ms() for seen in rounds)


def _middle(rounds: list[Seen]) -> float:
    return statistics.median(statistics.median(seen.latencies_ms) for seen in rounds)


def _deploy(platform: Running) -> tuple[list[str], dict[str, str]]:
    """Names of the quiet functions, and of the hostile ones by kind; one hostile one a tenant."""
    client = platform.client("lambda")
    kinds = list(_KINDS.items())
    quiet, attackers = [], {}
    for tenant in range(TENANTS):
        role = _role(platform, f"tenant-{tenant}")
        for number in range(EACH):
            kind, source = kinds[tenant] if number == 0 else ("", _QUIET)
            name = f"tenant-{tenant}-{number}"
            client.create_function(
                FunctionName=name,
                Runtime="python3.11",
                Handler="app.handler",
                Role=role,
                Code={"ZipFile": zipped(source)},
                MemorySize=128,
                Timeout=HOSTILE_TIMEOUT_S if kind else 30,
            )
            if kind:
                attackers[kind] = name
            else:
                quiet.append(name)
    for name in (*quiet, *attackers.values()):
        client.get_waiter("function_active_v2").wait(FunctionName=name)
    return quiet, attackers


def _role(platform: Running, name: str) -> str:
    principal = {"Service": "lambda.amazonaws.com"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    arn: str = made["Role"]["Arn"]
    return arn


def _compare(platform: Running, calls: Counter[str], since: float) -> None:
    """The ledger has every call; it is written behind the answers."""
    until = time.monotonic() + PATIENCE_S
    while True:
        lines: list[dict[str, Any]] = platform.page(f"/_mayfly/usage?since={since - 1}")["functions"]
        metered = Counter[str]()
        for line in lines:
            metered[line["function"].partition(":")[0]] += line["requests"]
        wrong = {name: (made, metered[name]) for name, made in calls.items() if metered[name] != made}
        if not wrong:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"hostile: calls made and metered differ: {wrong}")
        time.sleep(0.5)


def _round(
    platform: Running, requests: dict[str, bytes], quiet: list[str], attackers: list[str], seconds: float
) -> Seen:
    """Load from a process of its own."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sending, platform.port, requests, quiet, attackers, seconds))
    process.start()
    seen = receiving.recv()
    process.join()
    if isinstance(seen, str):
        raise RuntimeError(seen)
    assert isinstance(seen, Seen)
    return seen


def _child(pipe: multiprocessing.connection.Connection, port: int, *arguments: Any) -> None:
    try:
        pipe.send(asyncio.run(_drive(port, *arguments)))
    except Exception as error:
        pipe.send(f"load failed: {error!r}")


async def _drive(port: int, requests: dict[str, bytes], quiet: list[str], attackers: list[str], seconds: float) -> Seen:
    seen = Seen()
    start = time.perf_counter() + 0.5
    async with asyncio.TaskGroup() as group:
        for name in attackers:
            group.create_task(_attack(port, name, requests[name], start + seconds, seen))
        for number, name in enumerate(quiet):
            begin = start + PACE_S * number / len(quiet)
            group.create_task(_call(port, name, requests[name], begin, start + seconds, seen))
    return seen


async def _call(port: int, name: str, request: bytes, due: float, until: float, seen: Seen) -> None:
    """Call one function whenever it is due."""
    expected = json.dumps(name).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while due < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        seen.calls[name] += 1
        writer.write(request)
        head, body = await asyncio.wait_for(_reply(reader), PATIENCE_S)
        seen.latencies_ms.append((time.perf_counter() - due) * 1000)
        seen.wrong += body != expected or b"x-amz-function-error" in head
        due += PACE_S
    writer.close()


async def _attack(port: int, name: str, request: bytes, until: float, seen: Seen) -> None:
    """Call one hostile function again and again, at most ten times a second; any answer will do, but one there is."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        seen.calls[name] += 1
        writer.write(request)
        try:
            await asyncio.wait_for(_reply(reader), PATIENCE_S)
        except (TimeoutError, asyncio.IncompleteReadError):
            seen.unanswered[name] += 1
            return
        await asyncio.sleep(0.1)
    writer.close()


async def _reply(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    start = head.index(b"content-length: ") + 16
    return head, await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
