"""Instances, templates, keepers and the agent are killed at random while calls come: each call is settled once, none is
run twice, no two instances share random numbers, and nothing is left."""

import asyncio
import contextlib
import dataclasses
import itertools
import os
import random
import signal
from collections import Counter
from pathlib import Path

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Outcome, Target
from mayfly.engine.engine import LocalEngine
from mayfly.errors import PlatformError
from mayfly.sandbox import interpreters
from mayfly.sandbox.namespace import AgentFactory
from tests.sandbox.test_crashes import descendants, groups_of, is_agent, wait_until_gone

from .conftest import Recorder, call, result
from .test_templates import target

pytestmark = pytest.mark.root

BURSTS, AT_ONCE = 6, 16
PACKAGE = "import random, time\ntime.sleep(0.01)\nGENERATOR = random.Random()\n"
HANDLER = """
import os, random, slowly, time
def handler(event, context):
    print("ran", event, flush=True)
    alone = not os.path.exists("/tmp/mark") or open("/tmp/mark").read() == str(os.environ["ID"])
    open("/tmp/mark", "w").write(os.environ["ID"])
    time.sleep(0.03)
    return [event, alone, random.random(), slowly.GENERATOR.random()]
"""
# How often each kind of process is killed, by the beginning of its name.
KINDS = {"fn": 12, "tp": 2, "keeper": 1, "init": 2}


def named(agent: int, kind: str) -> list[int]:
    """Processes below the agent, the interpreter's template apart."""
    found = []
    for pid in descendants(agent):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith(kind):
                found.append(pid)
    return found


async def kill(draw: random.Random, directory: Path, *, agent_too: bool) -> Counter[str]:
    """Until it is cancelled, one process after the other; the agent once, when `agent_too`."""
    killed: Counter[str] = Counter()
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(draw.uniform(0.0, 0.02))
            agents = [pid for pid in descendants(os.getpid()) if is_agent(pid, directory)]
            if not agents:
                continue
            if agent_too and killed.total() >= 10 and not killed["agent"]:
                kind, pids = "agent", agents
            else:
                kind = draw.choices(list(KINDS), list(KINDS.values()))[0]
                pids = named(agents[0], kind)
            if pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(draw.choice(pids), signal.SIGKILL)
                    killed[kind] += 1
    return killed


async def burst(engine: LocalEngine, made: Target, numbers: range) -> list[Outcome | BaseException]:
    calls = (engine.invoke(made, call(number, f"r{number}")) for number in numbers)
    async with asyncio.timeout(120):
        return await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize(("seed", "agent_too"), [(1, False), (2, True)])
async def test_whoever_is_killed_each_call_is_settled_once(
    tmp_path: Path, recorder: Recorder, seed: int, *, agent_too: bool
) -> None:
    draw, ids = random.Random(seed), itertools.count(1)
    others = set(descendants(os.getpid()))
    factory = AgentFactory.launch(tmp_path / "agent")
    await factory.attach()
    await factory.prepare("python3.11", interpreters.current())
    engine = LocalEngine(factory, recorder, SystemClock(), memory_mb=64_000, new_id=lambda: f"i{next(ids)}", spares=3)
    made = target(tmp_path, PACKAGE, handler=HANDLER)
    killing = asyncio.create_task(kill(draw, tmp_path / "agent", agent_too=agent_too))
    ended: list[Outcome | BaseException] = []
    for number in range(BURSTS):
        version = dataclasses.replace(made, key=f"key-{number // 2}")
        ended += await burst(engine, version, range(number * AT_ONCE, (number + 1) * AT_ONCE))
        if number % 2:
            engine.retire(version.key)
    killing.cancel()
    killed = await killing
    assert killed.total() >= BURSTS
    assert killed["agent"] == agent_too

    draws: list[float] = []
    for number, outcome in enumerate(ended):
        if isinstance(outcome, BaseException):
            assert isinstance(outcome, PlatformError), outcome
        elif outcome.failure is not None:
            assert (outcome.failure.kind, outcome.failure.signal) == ("exited", signal.SIGKILL)
        else:
            event, alone, *drawn = result(outcome)
            assert (event, alone) == (number, True)
            draws += drawn
    assert len(ended) == BURSTS * AT_ONCE
    assert len(set(draws)) == len(draws)
    assert len(draws) >= len(ended), "most are answered all the same"

    ran = Counter(text for *_, text in recorder.of("output") if text.startswith("ran "))
    assert [text for text, times in ran.items() if times > 1] == []
    told = [request for _, request in recorder.of("finished")]
    assert len(told) == len(set(told))
    assert sorted(told) == sorted(request for _, request in recorder.of("started"))

    books = engine._ledger
    assert books.calls == 0
    left = [pid for pid in descendants(os.getpid()) if pid not in others]
    await engine.close(5)
    assert (books.held_mb, books.dying_mb, books.idle_mb) == (0, 0, 0)
    await factory.close()
    await asyncio.to_thread(wait_until_gone, left)
    assert groups_of(tmp_path / "agent") == set()
