"""Fronts and the core are killed under load: nothing acknowledged is lost, and service goes on."""

import asyncio
import os
import re
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import PlatformProcess
from tests.front import load
from tests.front.conftest import Server, await_fronts, fronts, log_of, make_function, signed, usage_of, workers

HELLO = "def handler(event, context):\n    print('hello')\n    return event\n"
AHEAD = 20
SLOW = """
import time

def handler(event, context):
    time.sleep(event["s"])
    return "done"
"""


class Caller:
    """Connections that call until stopped, whatever becomes of the server meanwhile."""

    def __init__(self, server: Server, name: str, clients: int) -> None:
        self._server = server
        self._name = name
        self._stop = False
        self.answers = load.Answers()
        self._tasks = [asyncio.create_task(self._call()) for _ in range(clients)]

    async def _call(self) -> None:
        while not self._stop:
            platform = self._server.platform
            request = signed(platform, self._name)
            await load.call_until(platform.url, request, partial(self._is_over, platform), self.answers)

    def _is_over(self, platform: PlatformProcess) -> bool:
        return self._stop or self._server.platform is not platform

    async def answered(self, more: int) -> None:
        """Return when so many more calls were answered."""
        wanted = len(self.answers.ids) + more
        async with asyncio.timeout(60):
            while len(self.answers.ids) < wanted:  # noqa: ASYNC110 - answers come from another process
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)


def check_accounts(server: Server, name: str, answers: load.Answers) -> None:
    """Every acknowledged call is in the log and on the bill, once; others that ran may be."""
    log = "".join(log_of(server.platform, name))
    ends = Counter(re.findall(r"REPORT RequestId: (\S+)", log))
    assert {request: ends[request] for request in answers.ids} == dict.fromkeys(answers.ids, 1)
    assert set(ends.values()) == {1}
    assert len(answers.ids) <= usage_of(server.platform, name) <= ends.total()


async def test_a_front_that_is_killed_is_replaced_and_nothing_acknowledged_is_lost(server: Server) -> None:
    name = make_function(server.platform, "hello", HELLO)
    caller = Caller(server, name, 8)
    for _ in range(3):
        before = fronts(server.platform)
        await caller.answered(60)
        os.kill(before[0], signal.SIGKILL)
        while len(after := fronts(server.platform)) < 2 or before[0] in after:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)
        await caller.answered(20)
    await caller.stop()

    assert caller.answers.others == []
    assert caller.answers.broken > 0
    check_accounts(server, name, caller.answers)


async def test_nothing_acknowledged_is_lost_when_the_core_is_killed(server: Server) -> None:
    name = make_function(server.platform, "hello", HELLO)
    caller = Caller(server, name, 8)
    for _ in range(2):
        await caller.answered(100)
        left = fronts(server.platform)
        server.process.kill()
        server.process.wait()
        await asyncio.to_thread(server.again)
        assert not set(left) & set(fronts(server.platform))
    await caller.answered(20)
    await caller.stop()

    assert [status for status, _ in caller.answers.others if status != 404] == []
    check_accounts(server, name, caller.answers)


async def test_the_places_of_calls_that_a_killed_front_ran_are_free_again(server: Server) -> None:
    name = make_function(server.platform, "slow", SLOW, Timeout=120)
    server.platform.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    await_fronts(server.platform)
    client, quick = load.Client(server.platform.url), signed(server.platform, name, b'{"s": 0}')
    # Sent ahead, they follow one another at once, so that there is a lease long before the last one, and still then.
    slow = signed(server.platform, name, b'{"s": 100}')
    assert [(await client.ask(more))[0] for more in (quick * AHEAD + slow, *[b""] * (AHEAD - 1))] == [200] * AHEAD

    lost = asyncio.create_task(client.ask(b""))
    async with asyncio.timeout(60):
        while "".join(await asyncio.to_thread(log_of, server.platform, name)).count("START RequestId") <= AHEAD:
            pass
    for pid in fronts(server.platform):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await lost
    client.close()

    status = 429
    async with asyncio.timeout(60):
        while status == 429:
            try:
                status = (await client.ask(quick))[0]
            except (OSError, asyncio.IncompleteReadError):  # of the front that died last, or of nobody
                client.close()
                await asyncio.sleep(0.02)
    assert status == 200
    client.close()


async def test_a_change_is_acknowledged_although_a_front_hangs_and_that_front_is_replaced(server: Server) -> None:
    name = make_function(server.platform, "hello", HELLO)
    await_fronts(server.platform)
    stuck = fronts(server.platform)[0]
    os.kill(stuck, signal.SIGSTOP)

    functions = server.platform.client("lambda")
    await asyncio.to_thread(functions.update_function_configuration, FunctionName=name, Description="changed")

    assert stuck not in fronts(server.platform)
    await asyncio.to_thread(await_fronts, server.platform)
    assert sorted(worker["starts"] for worker in workers(server.platform)) == [1, 2]


async def test_no_front_outlives_the_core_not_even_one_that_hangs(server: Server) -> None:
    await_fronts(server.platform)
    left = fronts(server.platform)
    os.kill(left[0], signal.SIGSTOP)

    server.process.kill()
    server.process.wait()
    await asyncio.to_thread(server.again)

    assert not [pid for pid in left if _lives(pid)]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_server_that_stops_lets_the_calls_of_its_fronts_end(server: Server) -> None:
    name = make_function(server.platform, "slow", SLOW)
    clients = [load.Client(server.platform.url) for _ in range(4)]
    for client in clients:
        assert (await client.ask(signed(server.platform, name, b'{"s": 0}')))[0] == 200

    slow = signed(server.platform, name, b'{"s": 1.5}')
    calls = [asyncio.create_task(client.ask(slow)) for client in clients]
    async with asyncio.timeout(60):
        while "".join(log_of(server.platform, name)).count("START RequestId") < 8:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)
    server.process.terminate()

    assert [(status, body) for status, _, body in await asyncio.gather(*calls)] == [(200, b'"done"')] * 4
    assert await asyncio.to_thread(server.process.wait, 30) == 0
    for client in clients:
        client.close()


def test_two_servers_cannot_share_an_address(server: Server) -> None:
    port = server.platform.url.rpartition(":")[2]
    with pytest.raises(RuntimeError, match=f"port {port} on 127.0.0.1 is in use"):
        Server.start(server.data.parent / "other", "--port", port)
