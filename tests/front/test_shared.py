"""Functions that run several calls in one instance, over two fronts: both have places on it, within the limits."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from typing import Any

import pytest

from tests.conftest import PlatformProcess
from tests.front import load
from tests.front.conftest import Server, await_fronts, fronts, log_of, make_function, signed, usage_of, zipped
from tests.front.test_deaths import Caller, check_accounts

SEVERAL = """
import asyncio, os, time

async def handler(event, context):
    began = time.monotonic_ns()
    print("of", context.aws_request_id)
    if event.get("exit"):
        os._exit(3)
    if event.get("block"):
        time.sleep(event["block"])
    while "door" in event and not os.path.exists(event["door"]):
        await asyncio.sleep(0.01)
    await asyncio.sleep(event.get("s", 0))
    return [began, time.monotonic_ns(), os.getpid()] if not event.get("plain") else 0
"""


def make(platform: PlatformProcess, name: str, at_a_time: int = 32, source: str = SEVERAL, **options: Any) -> str:
    """A function that runs so many calls at a time in an instance."""
    name = make_function(platform, name, source, **options)
    functions = platform.client("lambda")
    provider = functions.get_function_configuration(FunctionName=name)["FunctionArn"].split(":function:")[0]
    functions.update_function_configuration(
        FunctionName=name,
        CapacityProviderConfig={
            "LambdaManagedInstancesCapacityProviderConfig": {
                "CapacityProviderArn": f"{provider}:capacity-provider:mayfly",
                "PerExecutionEnvironmentMaxConcurrency": at_a_time,
            }
        },
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    return name


def instances(platform: PlatformProcess, name: str) -> int:
    """How many were started so far: each has a stream of its own."""
    return len(platform.client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"])


async def test_both_fronts_run_calls_on_one_instance_and_each_has_its_own_lines(crowd: PlatformProcess) -> None:
    name = make(crowd, "several")

    answers = await load.crowd(crowd.url, signed(crowd, name, b'{"s": 0.005}'), clients=16, calls=400)

    assert (answers.others, answers.broken, answers.refused) == ([], 0, 0)
    journals = [path for path in (crowd.data / "journals").iterdir() if path.stat().st_size]
    assert {path.name.split("-")[1] for path in journals if "front" in path.name} == {"front1", "front2"}
    assert instances(crowd, name) == 1
    assert load.most_at_once([body[:2] for body in answers.bodies]) > 4
    assert usage_of(crowd, name) == len(answers.ids)
    words = [tuple(line.replace("RequestId: ", "").split()[:2]) for line in log_of(crowd, name)]
    lines = Counter(words)
    for request in answers.ids:
        assert [lines[kind, request] for kind in ("START", "of", "END", "REPORT")] == [1] * 4
        order = [kind for kind, of in words if of == request] if request == answers.ids[-1] else []
        assert order in ([], ["START", "of", "END", "REPORT"])


@pytest.mark.parametrize("limit", [1, 5])
async def test_no_more_calls_run_at_a_time_than_a_function_may(crowd: PlatformProcess, limit: int) -> None:
    name = make(crowd, f"bounded-{limit}")
    crowd.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)

    answers = await load.crowd(crowd.url, signed(crowd, name, b'{"s": 0.004}'), clients=24, calls=250)

    assert load.most_at_once([body[:2] for body in answers.bodies]) <= limit
    assert answers.refused > 0
    assert (answers.others, answers.broken) == ([], 0)


async def test_no_more_calls_run_at_a_time_in_an_instance_than_it_takes(crowd: PlatformProcess) -> None:
    name = make(crowd, "narrow", at_a_time=3)

    answers = await load.crowd(crowd.url, signed(crowd, name, b'{"s": 0.01}'), clients=12, calls=200)

    assert (answers.others, answers.broken, answers.refused) == ([], 0, 0)
    by_instance: dict[str, list[Any]] = {}
    for began, ended, pid in answers.bodies:
        by_instance.setdefault(pid, []).append([began, ended])
    # Process ids are those of a namespace of each instance's own where there are such.
    bound = 3 * instances(crowd, name) if len(by_instance) == 1 else 3
    assert max(map(load.most_at_once, by_instance.values())) <= bound


async def test_no_call_is_refused_while_places_are_leased_and_not_used(crowd: PlatformProcess) -> None:
    name = make(crowd, "spared")
    crowd.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=2)
    clients, request = [load.Client(crowd.url) for _ in range(6)], signed(crowd, name)

    statuses = []
    for _ in range(20):
        for first, second in zip(clients[::2], clients[1::2], strict=True):
            replies = await asyncio.gather(first.ask(request), second.ask(request))
            statuses += [status for status, _, _ in replies]

    assert Counter(statuses) == {200: 120}
    for client in clients:
        client.close()


async def test_after_an_update_is_acknowledged_only_new_code_answers(crowd: PlatformProcess) -> None:
    name = make(crowd, "renewed", source="async def handler(event, context):\n    return 0\n")
    functions, request = crowd.client("lambda"), signed(crowd, name)
    acknowledged, stop, wrong = 0, False, []

    async def call() -> None:
        client = load.Client(crowd.url)
        while not stop:
            least = acknowledged
            status, _, body = await client.ask(request)
            if status != 200 or int(body) < least:
                wrong.append((least, status, body))
        client.close()

    callers = [asyncio.create_task(call()) for _ in range(8)]
    for version in range(1, 5):
        code = zipped(f"async def handler(event, context):\n    return {version}\n")
        await asyncio.to_thread(functions.update_function_code, FunctionName=name, ZipFile=code)
        acknowledged = version
        await asyncio.sleep(0.05)
    stop = True
    await asyncio.gather(*callers)

    assert wrong == []


async def ask(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own, after some that made sure of leases."""
    client = load.Client(url)
    try:
        return await client.ask(request)
    finally:
        client.close()


async def leased(platform: PlatformProcess, name: str) -> None:
    """Call until fronts have places; they are there for the next 100 ms."""
    await load.crowd(platform.url, signed(platform, name), clients=8, calls=60)


async def test_a_call_that_takes_too_long_costs_the_others_nothing(crowd: PlatformProcess) -> None:
    name = make(crowd, "patient", Timeout=1)
    await leased(crowd, name)

    replies = await asyncio.gather(
        *(ask(crowd.url, signed(crowd, name, json.dumps({"s": s}).encode())) for s in [30, 0.5] * 6)
    )

    late = [body for _, headers, body in replies if "x-amz-function-error" in headers]
    assert len(late) == 6
    assert all(b"Task timed out after 1.00 seconds" in body for body in late)
    assert instances(crowd, name) == 1


async def test_an_instance_that_blocks_is_ended_and_its_calls_time_out(crowd: PlatformProcess) -> None:
    name = make(crowd, "blocked", Timeout=1)
    await leased(crowd, name)

    async def until_timed_out(event: bytes) -> None:
        async with asyncio.timeout(60):
            _, headers, body = await ask(crowd.url, signed(crowd, name, event))
        assert "x-amz-function-error" in headers
        assert b"Task timed out" in body

    await asyncio.gather(*(until_timed_out(b'{"block": 600}') for _ in range(4)))

    async with asyncio.timeout(60):
        while "x-amz-function-error" in (await ask(crowd.url, signed(crowd, name)))[1]:
            pass


async def test_all_calls_of_an_instance_that_exits_are_told_how_it_ended(crowd: PlatformProcess) -> None:
    name = make(crowd, "mortal")
    await leased(crowd, name)

    replies = asyncio.gather(*(ask(crowd.url, signed(crowd, name, b'{"s": 60}')) for _ in range(6)))
    async with asyncio.timeout(60):
        while "".join(await asyncio.to_thread(log_of, crowd, name)).count("START RequestId") < 66:
            pass
    killer = await ask(crowd.url, signed(crowd, name, b'{"exit": true}'))

    for status, headers, body in [killer, *await replies]:
        assert (status, "x-amz-function-error" in headers) == (200, True)
        assert json.loads(body)["errorType"] == "Runtime.ExitError"
        assert "exit status 3" in json.loads(body)["errorMessage"]


async def test_a_front_that_is_killed_costs_the_calls_of_others_nothing(server: Server) -> None:
    platform = server.platform
    name = make(platform, "shared")
    caller = Caller(server, name, 8)
    for _ in range(3):
        before = fronts(platform)
        await caller.answered(100)
        os.kill(before[0], signal.SIGKILL)
        while len(after := fronts(platform)) < 2 or before[0] in after:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)
        await caller.answered(40)
    await caller.stop()

    assert caller.answers.others == []
    assert caller.answers.broken > 0
    check_accounts(server, name, caller.answers)
    assert instances(platform, name) == 1


async def test_the_places_that_a_killed_front_had_are_free_again(server: Server) -> None:
    platform = server.platform
    name = make(platform, "places", Timeout=120)
    platform.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=4)
    await_fronts(platform)
    await load.crowd(platform.url, signed(platform, name), clients=4, calls=60)
    slow = [load.Client(platform.url) for _ in range(4)]
    lost = [asyncio.create_task(client.ask(signed(platform, name, b'{"s": 100}'))) for client in slow]
    async with asyncio.timeout(60):
        while await asyncio.to_thread(load_of, platform, name) < 4:
            pass
    for pid in fronts(platform):
        os.kill(pid, signal.SIGKILL)
    for task in lost:
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await task

    answers = await load.crowd(platform.url, signed(platform, name), clients=4, calls=20)

    assert answers.others == []
    for client in slow:
        client.close()


def load_of(platform: PlatformProcess, name: str) -> int:
    """How many calls of 100 seconds have begun."""
    begun = "".join(log_of(platform, name))
    started = set(re.findall(r"START RequestId: (\S+)", begun))
    return len(started - set(re.findall(r"END RequestId: (\S+)", begun)))
