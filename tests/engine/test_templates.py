"""Starts from shared templates, through the engine and real sandboxes; what goes wrong costs time and nothing else."""

import asyncio
import dataclasses
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Call, Outcome, Target
from mayfly.engine.engine import LocalEngine
from mayfly.policy.templates import MOST_LOSSES
from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxSpec
from mayfly.sandbox.namespace import AgentFactory
from tests import processes

from .conftest import Recorder, result

pytestmark = pytest.mark.root

SLOW = "import time\ntime.sleep(0.01)\n"
HANDLER = """
import os, slowly
TOKEN = os.urandom(4).hex()
def handler(event, context):
    return [TOKEN, os.environ["ID"], os.environ.get("SECRET"), slowly.ENVIRONMENT]
"""
LABEL = f"t-{os.getpid()}"  # of this run alone: processes are looked for on the whole machine


@pytest.fixture
async def factory(tmp_path: Path) -> AsyncIterator[AgentFactory]:
    made = AgentFactory.launch(tmp_path / "agent")
    await made.attach()
    await made.prepare("python3.11", interpreters.current())
    yield made
    await made.close()


@pytest.fixture
async def engine(factory: AgentFactory, recorder: Recorder) -> AsyncIterator[LocalEngine]:
    numbers = itertools.count(1)
    made = LocalEngine(factory, recorder, SystemClock(), memory_mb=32_768, new_id=lambda: f"i{next(numbers)}")
    yield made
    await made.close(0)


def target(directory: Path, source: str = SLOW, *, snap_start: bool = False, handler: str = HANDLER) -> Target:
    code = directory / "code"
    (code / "slowly-1.0.dist-info").mkdir(parents=True)
    (code / "slowly-1.0.dist-info" / "RECORD").write_text("slowly.py,,\n")
    (code / "slowly.py").write_text(f"import os\nENVIRONMENT = os.environ.get('SECRET')\n{source}")
    (code / "app.py").write_text(handler)
    directory.chmod(0o755)

    async def environment(instance: str) -> Mapping[str, str]:
        return {"ID": instance, "SECRET": f"of {instance}", "SAME": "same"}

    spec = SandboxSpec("python3.11", code, memory_mb=256, label=LABEL)
    hidden = frozenset(("ID", "SECRET"))
    return Target("key", "f", spec, "app.handler", 30.0, environment, snap_start=snap_start, per_instance=hidden)


def call(event: Any = None) -> Call:
    return Call("r", json.dumps(event).encode(), "arn:f")


async def at_once(engine: LocalEngine, of: Target, count: int) -> list[Outcome]:
    return list(await asyncio.gather(*(engine.invoke(of, call()) for _ in range(count))))


async def state_of(engine: LocalEngine, key: str) -> str:
    """What became of a target's template."""
    task = engine._templates._states[key].task
    assert task is not None
    await asyncio.wait([task])
    view = engine._templates.view(key)
    assert view is not None
    return f"{view.state}: {view.reason}" if view.reason else view.state


async def test_after_the_first_start_instances_are_forked_from_a_template_with_the_packages(
    engine: LocalEngine, tmp_path: Path
) -> None:
    made = target(tmp_path)
    first = await engine.invoke(made, call())
    assert first.start is not None
    assert (first.start.path, [one.module for one in first.start.imports]) == ("interpreter", ["slowly", "app"])
    assert await state_of(engine, "key") == "ready"
    outcomes = await at_once(engine, made, 5)
    later = [outcome.start for outcome in outcomes if outcome.start is not None]
    assert [start.path for start in later] == ["packages"] * 4
    assert [[one.module for one in start.imports] for start in later] == [["app"]] * 4
    answers = [result(outcome) for outcome in outcomes]
    assert len({token for token, *_ in answers}) == 5, "the function's own module ran in every instance"
    assert all(secret == f"of {own}" for _, own, secret, _ in answers)
    assert sorted(str(seen) for *_, seen in answers) == ["None"] * 4 + ["of i1"], "packages saw no instance's variables"
    assert (await engine.invoke(made, call())).start is None


async def test_a_refused_template_leaves_starts_as_they_were(engine: LocalEngine, tmp_path: Path) -> None:
    made = target(tmp_path, SLOW + "open('/tmp/x', 'w').close()\n")
    await engine.invoke(made, call())
    assert await state_of(engine, "key") == "refused: files were written to /tmp: x"
    assert [o.start.path for o in await at_once(engine, made, 3) if o.start] == ["interpreter"] * 2


async def test_a_lost_template_is_made_again(engine: LocalEngine, tmp_path: Path) -> None:
    made = target(tmp_path)
    await engine.invoke(made, call())
    await state_of(engine, "key")
    os.kill(processes.oldest_named(f"tp:{LABEL}"), signal.SIGKILL)
    outcomes = await at_once(engine, made, 3)
    assert {result(outcome)[1] for outcome in outcomes} == {outcome.instance for outcome in outcomes}
    assert [outcome.start.path for outcome in outcomes if outcome.start] == ["interpreter"] * 2
    assert await state_of(engine, "key") == "ready"
    assert engine._templates._states["key"].losses == 1  # that two starts saw
    assert "packages" in [outcome.start.path for outcome in await at_once(engine, made, 5) if outcome.start]


async def test_a_template_that_ends_while_it_loads_is_tried_again_a_few_times(
    engine: LocalEngine, tmp_path: Path
) -> None:
    made = target(tmp_path, SLOW + "if 'SECRET' not in os.environ:\n    os._exit(1)\n")
    for number in range(1, MOST_LOSSES + 2):
        outcomes = await at_once(engine, made, number)  # one more than there are instances
        assert all(outcome.start.path == "interpreter" for outcome in outcomes if outcome.start)
        assert await state_of(engine, "key") == "lost: it ended while it loaded: no answer came"
        assert engine._templates._states["key"].losses == min(number, MOST_LOSSES)


async def test_a_retired_target_has_no_template(engine: LocalEngine, tmp_path: Path) -> None:
    made = target(tmp_path)
    await engine.invoke(made, call())
    await state_of(engine, "key")
    engine.retire("key")
    assert engine._templates.view("key") is None
    outcome = await engine.invoke(made, call())
    assert outcome.start is not None
    assert outcome.start.path == "interpreter"


async def test_functions_with_nothing_to_share_get_no_template(engine: LocalEngine, tmp_path: Path) -> None:
    made = target(tmp_path, "", handler="def handler(event, context): pass\n")
    await engine.invoke(made, call())
    assert engine._templates.view("key") is None


async def test_snap_start_runs_init_once(engine: LocalEngine, tmp_path: Path) -> None:
    made = target(tmp_path, snap_start=True)
    prepared = await engine.prepare(made)
    assert prepared.optimized
    outcomes = await at_once(engine, made, 3)
    assert [outcome.start.path for outcome in outcomes if outcome.start] == ["function"] * 3
    assert len({result(outcome)[0] for outcome in outcomes}) == 1
    assert {result(outcome)[1] for outcome in outcomes} == {outcome.instance for outcome in outcomes}


async def test_a_burst_on_a_version_that_was_optimized_waits_for_one_init_after_a_restart(
    engine: LocalEngine, tmp_path: Path
) -> None:
    made = dataclasses.replace(target(tmp_path, snap_start=True), optimized=True)
    outcomes = await at_once(engine, made, 3)
    assert [outcome.start.path for outcome in outcomes if outcome.start] == ["function"] * 3
    assert len({result(outcome)[0] for outcome in outcomes}) == 1


async def test_a_version_that_cannot_be_optimized_any_more_runs_init_in_each_instance(
    engine: LocalEngine, tmp_path: Path
) -> None:
    threads = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    made = dataclasses.replace(target(tmp_path, SLOW + threads, snap_start=True), optimized=True)
    outcomes = await at_once(engine, made, 2)
    assert [outcome.start.path for outcome in outcomes if outcome.start] == ["interpreter"] * 2
    assert (await state_of(engine, "key")).startswith("refused: ")


async def test_an_init_that_raises_fails_the_preparation(engine: LocalEngine, tmp_path: Path) -> None:
    prepared = await engine.prepare(target(tmp_path, "raise LookupError('no')\n", snap_start=True))
    assert not prepared.optimized
    assert prepared.failure is not None
    assert json.loads(prepared.failure.payload)["errorType"] == "LookupError"


async def test_a_hazard_after_init_is_the_reason(engine: LocalEngine, tmp_path: Path) -> None:
    threads = "import threading\nthreading.Thread(target=time.sleep, args=(99,), name='t', daemon=True).start()\n"
    made = target(tmp_path, SLOW + threads, snap_start=True)
    prepared = await engine.prepare(made)
    assert (prepared.optimized, prepared.reason, prepared.failure) == (False, "a thread is alive: t", None)
    outcome = await engine.invoke(made, call())
    assert outcome.start is not None
    assert outcome.start.path == "interpreter"


HOOK = """
import snapshot_restore_py as hooks, time
@hooks.register_after_restore
def wake():
    {}
def handler(event, context): return "awake"
"""


@pytest.mark.parametrize(("does", "kind"), [("raise LookupError('no')", "raised"), ("time.sleep(600)", "timeout")])
async def test_an_instance_that_fails_to_restore_itself_fails_its_call_at_once(
    factory: AgentFactory, recorder: Recorder, tmp_path: Path, does: str, kind: str
) -> None:
    numbers = itertools.count(1)
    engine = LocalEngine(
        *(factory, recorder, SystemClock()),
        memory_mb=32_768,
        new_id=lambda: f"i{next(numbers)}",
        init_timeout_s=30 if kind == "raised" else 2,
    )
    made = target(tmp_path, snap_start=True, handler=HOOK.format(does))
    assert (await engine.prepare(made)).optimized
    outcome = await engine.invoke(made, call())
    assert outcome.failure is not None
    assert outcome.failure.kind == f"restore-{kind}"
    assert kind == "timeout" or json.loads(outcome.failure.payload)["errorType"] == "LookupError"
    assert next(numbers) == 3, "one template and one instance: what cannot be restored is not tried again for a call"
    await engine.close(0)


async def test_templates_that_have_no_memory_left_are_dropped_and_the_slower_path_is_taken(
    factory: AgentFactory, recorder: Recorder, tmp_path: Path
) -> None:
    clock = SystemClock()
    engine = LocalEngine(factory, recorder, clock, memory_mb=32_768, new_id=lambda: os.urandom(4).hex(), templates_mb=8)
    try:
        made = target(tmp_path, SLOW + "HEAVY = bytearray(32 << 20)\n")
        await engine.invoke(made, call())
        assert (await state_of(engine, "key")).startswith("dropped")
        assert [o.start.path for o in await at_once(engine, made, 3) if o.start] == ["interpreter"] * 2
        assert factory.template_bytes("key") == 0
        small = dataclasses.replace(target(tmp_path / "small"), key="small")
        await engine.invoke(small, call())
        assert await state_of(engine, "small") == "ready"
        assert 1 << 18 < factory.template_bytes("small") < 8 << 20
    finally:
        await engine.close(0)


async def test_tenants_share_the_template_with_the_packages_and_nothing_that_ran_for_one_of_them(
    engine: LocalEngine, tmp_path: Path
) -> None:
    made = target(tmp_path)

    def of(tenant: str) -> Target:
        return dataclasses.replace(made, key=f"key\0{tenant}", family="key", tenant=tenant)

    first = await engine.invoke(of("blue"), call())
    assert await state_of(engine, "key") == "ready"
    second = await engine.invoke(of("red"), call())

    assert first.start is not None
    assert second.start is not None
    assert (first.start.path, second.start.path in {"packages", "spare"}) == ("interpreter", True)
    (mine, _, mine_secret, _), (theirs, _, theirs_secret, shared) = result(first), result(second)
    assert mine != theirs
    assert mine_secret != theirs_secret
    assert shared is None
    engine.retire("key")
    assert engine.template("key") is None
