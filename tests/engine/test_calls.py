"""One call on one instance: results, failures, output, deadlines."""

import asyncio
import dataclasses
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Call, Failure, Outcome, Phase, Target
from mayfly.engine.engine import LocalEngine

from .conftest import MakeEngine, Recorder, call, result, target
from .forked import PEAK, ForkedFactory
from .test_pools import states


async def test_a_call_returns_what_the_handler_returned(engine: LocalEngine) -> None:
    outcome = await engine.invoke(target("functions.echo"), call({"a": [1, "ü"]}))

    assert result(outcome) == {"a": [1, "ü"]}
    assert outcome.cold
    assert outcome.init_ms is not None
    assert outcome.peak_memory_bytes == PEAK


async def test_a_second_call_is_warm(engine: LocalEngine) -> None:
    first = await engine.invoke(target("functions.count"), call())
    second = await engine.invoke(target("functions.count"), call())

    assert (second.cold, second.init_ms, second.instance) == (False, None, first.instance)
    assert result(second)["calls"] == 2


async def test_the_handler_is_told_the_context_of_the_call(engine: LocalEngine) -> None:
    made = target("functions.meta", variables={"VARIABLE": "value"})
    known = Call("r-1", b"null", "arn:of:the:function", trace_id="Root=1", client_context="{}", identity='{"a":1}')

    first = result(await engine.invoke(made, call()))
    second = result(await engine.invoke(made, known))

    assert first["variable"] == "value"
    assert first["meta"].keys() == {"request_id", "deadline_ms", "arn"}
    deadline = second["meta"].pop("deadline_ms")
    assert isinstance(deadline, int)
    assert second["meta"] == {
        "request_id": "r-1",
        "arn": "arn:of:the:function",
        "trace_id": "Root=1",
        "client_context": "{}",
        "identity": '{"a":1}',
    }


async def test_a_deadline_lies_the_timeout_ahead_in_wall_clock_time(make_engine: MakeEngine) -> None:
    engine = make_engine(clock=SystemClock())
    seen = result(await engine.invoke(target("functions.meta", timeout_s=600), call()))

    assert 0 < seen["meta"]["deadline_ms"] - seen["now_ms"] <= 600_000


async def test_each_instance_asks_for_its_environment_under_its_own_id(engine: LocalEngine) -> None:
    asked: list[str] = []
    made = target("functions.echo")

    async def environment(instance: str) -> dict[str, str]:
        asked.append(instance)
        return {}

    object.__setattr__(made, "environment", environment)
    outcome = await engine.invoke(made, call())

    assert asked == [outcome.instance]


async def test_an_exception_is_a_failure_and_leaves_the_instance_usable(engine: LocalEngine) -> None:
    made = target("functions.raises")
    first = await engine.invoke(made, call())
    second = await engine.invoke(made, call())

    assert first.failure is not None
    assert first.failure.kind == "raised"
    assert json.loads(first.failure.payload) == {"errorMessage": "no such luck", "errorType": "ValueError"}
    assert first.payload == b""
    assert second.instance == first.instance


async def test_a_fatal_error_is_reported_and_replaces_the_instance(engine: LocalEngine, recorder: Recorder) -> None:
    made = target("functions.exits")
    first = await engine.invoke(made, call())
    second = await engine.invoke(made, call())

    assert first.failure is not None
    assert first.failure.kind == "raised"
    assert second.instance != first.instance


async def test_a_module_that_does_not_load_fails_the_call_in_init(engine: LocalEngine, recorder: Recorder) -> None:
    outcome = await engine.invoke(target("broken.handler"), call(request_id="r"))

    assert outcome.failure is not None
    assert outcome.failure.kind == "init-raised"
    assert json.loads(outcome.failure.payload)["errorMessage"] == "this module does not load"
    assert (outcome.instance, outcome.cold) == ("i2", True)
    assert outcome.init_ms is None, "the second one is part of the call"
    told = [event[:2] for event in recorder.events if event[0] in {"initialized", "started", "finished"}]
    assert told == [("initialized", "i1"), ("initialized", "i2"), ("started", "i2"), ("finished", "i2")]
    assert recorder.phases == ["init", "invoke"]
    assert recorder.lines("r") == ["init failed: this module does not load"] * 2


async def test_an_exit_in_init_fails_the_call_with_the_status(engine: LocalEngine, recorder: Recorder) -> None:
    outcome = await engine.invoke(target("leaves_in_init.handler"), call(request_id="r"))

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_status) == ("exited", 3)
    assert recorder.lines("r") == ["about to leave"] * 2
    assert recorder.of("initialized") == [("i1", "exited", False), ("i2", "exited", False)]
    assert recorder.phases == ["init", "invoke"]


@pytest.mark.parametrize("how", ["raise RuntimeError('now')", "os._exit(1)", "os.kill(os.getpid(), 9)"])
async def test_init_that_fails_once_is_repeated_and_the_call_is_run_once(
    engine: LocalEngine, tmp_path: Path, recorder: Recorder, how: str
) -> None:
    (tmp_path / "app.py").write_text(FAILS_ONCE.format(how=how))
    made = target("app.handler", variables={"MARK": str(tmp_path / "mark")})
    made = dataclasses.replace(made, sandbox=dataclasses.replace(made.sandbox, code=tmp_path))

    outcome = await engine.invoke(made, call(request_id="r"))

    assert result(outcome) == "done"
    assert (outcome.instance, outcome.cold, outcome.init_ms) == ("i2", True, None)
    assert [line for line in recorder.lines("r") if "init failed" not in line] == ["loading", "loading", "called"]
    assert recorder.of("started") == [("i2", "r")]
    assert [instance for instance, *_ in recorder.of("initialized")] == ["i1"]
    assert recorder.phases == ["init"]
    assert engine.counters().calls == 1


@pytest.mark.parametrize(
    ("handler", "event", "kind", "status", "signal"),
    [
        ("functions.leaves", {"status": 5}, "exited", 5, None),
        ("functions.leaves", {"status": 0}, "exited", 0, None),
        ("functions.leaves", {"status": 137}, "out-of-memory", None, 9),
        ("functions.crashes", None, "exited", None, 11),
        ("functions.garbage", None, "protocol", None, None),
    ],
)
async def test_ways_to_die_are_told_apart(
    engine: LocalEngine, handler: str, event: object, kind: str, status: int | None, signal: int | None
) -> None:
    outcome = await engine.invoke(target(handler), call(event))

    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.exit_status, outcome.failure.signal) == (kind, status, signal)
    assert outcome.peak_memory_bytes == PEAK


async def test_after_a_death_the_next_call_gets_a_new_instance(engine: LocalEngine, recorder: Recorder) -> None:
    made = target("functions.leaves")
    first = await engine.invoke(made, call({"status": 1}))
    second = await engine.invoke(made, call({"status": 1}))

    assert second.cold
    assert second.instance != first.instance
    await recorder.wait_for(lambda: len(recorder.of("terminated")) == 2)
    assert recorder.of("terminated") == [(first.instance, "exited"), (second.instance, "exited")]


async def test_a_call_that_takes_too_long_is_killed(
    engine: LocalEngine, factory: ForkedFactory, recorder: Recorder
) -> None:
    outcome = await engine.invoke(target("functions.sleeps", timeout_s=1), call(request_id="r"))

    assert outcome.failure is not None
    assert outcome.failure.kind == "timeout"
    assert outcome.duration_ms == 1000
    assert recorder.lines("r") == ["going to sleep"]
    exit_ = await factory.sandboxes[0].exited()
    assert exit_.reason == "killed"


async def test_a_warm_call_that_takes_too_long_is_killed(make_engine: MakeEngine) -> None:
    engine = make_engine()
    warm = target("functions.sleeps_when_told", timeout_s=2)
    first = await engine.invoke(warm, call(False))
    second = await engine.invoke(warm, call(True))

    assert result(first) == "awake"
    assert second.failure is not None
    assert (second.failure.kind, second.instance) == ("timeout", first.instance)


async def test_a_call_that_runs_is_stopped_with_its_instance(engine: LocalEngine, recorder: Recorder) -> None:
    running = asyncio.create_task(engine.invoke(target("functions.sleeps"), call(request_id="r")))
    await recorder.wait_for(lambda: bool(recorder.of("started")))
    assert not engine.stop("another")
    assert engine.stop("r")
    outcome = await running
    assert outcome.failure is not None
    assert outcome.failure.kind == "stopped"
    assert not engine.stop("r")
    await recorder.wait_for(lambda: recorder.of("terminated") == [(outcome.instance, "stopped")])


FAILS_ONCE = """
import os, sys
print("loading", flush=True)
if not os.path.exists(os.environ["MARK"]):
    open(os.environ["MARK"], "w").close()
    {how}
def handler(event, connection):
    print("called", flush=True)
    return "done"
"""


async def test_init_that_takes_too_long_is_repeated_within_the_timeout(
    make_engine: MakeEngine, tmp_path: Path, recorder: Recorder
) -> None:
    engine = make_engine(init_timeout_s=2)
    made = target("slow.handler", variables={"MARK": str(tmp_path / "mark")})

    outcome = await engine.invoke(made, call(request_id="r"))

    assert result(outcome)["request_id"] == "r"
    assert (outcome.instance, outcome.cold, outcome.init_ms) == ("i2", True, None)
    assert recorder.lines("r") == ["loading", "loading"]
    assert recorder.of("started") == [("i2", "r")]
    assert ("i1", "init-timeout") in recorder.of("terminated")
    assert engine.counters().calls == 1


async def test_init_that_takes_too_long_twice_fails_the_call(make_engine: MakeEngine, recorder: Recorder) -> None:
    engine = make_engine(init_timeout_s=0.2)

    outcome = await engine.invoke(target("endless.handler", timeout_s=0.4), call(request_id="r"))

    assert outcome.failure is not None
    assert outcome.failure.kind == "init-timeout"
    assert (outcome.duration_ms, outcome.init_ms) == (400, None)
    assert [event[0] for event in recorder.events if event[0] in {"started", "finished"}] == ["started", "finished"]
    assert engine.counters().cold_starts == 2


async def test_all_lines_of_a_call_are_reported_before_it_is_finished(engine: LocalEngine, recorder: Recorder) -> None:
    made = target("functions.prints")
    for number in range(3):
        request = f"r{number}"
        await engine.invoke(made, call({"lines": 5000}, request))

        assert recorder.lines(request) == [f"line {n}" for n in range(5000)] + ["an unfinished line"]
        own = [event[0] for event in recorder.events if event[2] == request]
        assert own[0] == "started"
        assert own[-1] == "finished"


async def test_what_init_prints_comes_before_the_start_and_belongs_to_the_first_call(
    engine: LocalEngine, recorder: Recorder
) -> None:
    await engine.invoke(target("chatty.handler"), call(request_id="r"))

    assert [event[-1] if event[0] == "output" else event[0] for event in recorder.events] == [
        "loading",
        "started",
        "running",
        "finished",
    ]
    assert recorder.lines("r") == ["loading", "running"]


async def test_invalid_utf8_is_replaced_and_line_ends_are_removed(engine: LocalEngine, recorder: Recorder) -> None:
    await engine.invoke(target("functions.prints_bytes"), call(request_id="r"))

    assert recorder.lines("r") == ["caf\ufffd", "na\u00efve"]


async def test_an_instance_that_never_stops_printing_delays_nobody(engine: LocalEngine) -> None:
    outcome = await engine.invoke(target("functions.prints_for_ever"), call())
    assert outcome.failure is None
    assert result(await engine.invoke(target("functions.echo"), call(1))) == 1


async def test_output_between_calls_belongs_to_no_call(engine: LocalEngine, recorder: Recorder) -> None:
    await engine.invoke(target("functions.prints_later"), call())
    await recorder.wait_for(lambda: recorder.lines(None) == ["between calls"])


async def test_a_second_answer_ends_the_instance_but_not_the_call(engine: LocalEngine, recorder: Recorder) -> None:
    outcome = await engine.invoke(target("functions.answers_twice"), call())

    assert result(outcome) == 1
    await recorder.wait_for(lambda: recorder.of("terminated") == [(outcome.instance, "protocol")])


async def test_an_answer_given_right_before_death_counts(engine: LocalEngine, recorder: Recorder) -> None:
    made = target("functions.answers_and_leaves")
    for number in range(5):
        request = f"r{number}"
        assert result(await engine.invoke(made, call(request_id=request))) == 7
        assert recorder.lines(request) == ["last words"]
        await recorder.wait_for(lambda: len(recorder.of("terminated")) == number + 1)  # noqa: B023 - awaited here


async def test_a_runtime_that_hangs_up_and_lives_on_is_replaced(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.engine.ending.DEATH_GRACE_S", 0.1)

    outcome = await engine.invoke(target("functions.hangs_up"), call())

    assert outcome.failure is not None
    assert outcome.failure.kind == "protocol"


async def test_a_caller_that_goes_away_does_not_stop_the_call(
    engine: LocalEngine, recorder: Recorder, tmp_path: Path
) -> None:
    event = {"arrived": str(tmp_path / "arrived"), "wait_for": str(tmp_path / "go")}
    caller = asyncio.create_task(engine.invoke(target("functions.meet"), call(event, "r")))
    await recorder.wait_for(lambda: bool(recorder.of("started")))

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    (tmp_path / "go").touch()
    await recorder.wait_for(lambda: bool(recorder.of("finished")))

    assert states(engine) == ["idle"]


async def test_large_payloads_travel_both_ways(engine: LocalEngine) -> None:
    event = "x" * (6 * 1024 * 1024)
    assert result(await engine.invoke(target("functions.echo"), call(event))) == event


async def test_the_endpoint_inside_a_sandbox_is_served_before_its_code_runs_until_it_is_gone(
    make_engine: MakeEngine, factory: ForkedFactory, recorder: Recorder
) -> None:
    events: list[tuple[str, ...]] = []

    def serve(made: Target, instance: str, listener: socket.socket) -> Callable[[], None]:
        events.append(("serving", made.key, instance))

        def stop() -> None:
            listener.close()
            events.append(("stopped", instance))

        return stop

    factory.endpoint = lambda: socket.create_server(("127.0.0.1", 0))
    engine = make_engine(endpoints=serve)
    await engine.invoke(target("functions.echo"), call())
    assert events == [("serving", "functions.echo", "i1")]

    engine.retire("functions.echo")
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))
    assert events[1:] == [("stopped", "i1")]


async def test_an_endpoint_that_nobody_serves_is_closed(make_engine: MakeEngine, factory: ForkedFactory) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    factory.endpoint = lambda: listener
    engine = make_engine()
    await engine.invoke(target("functions.echo"), call())
    await engine.close(0)
    assert listener.fileno() == -1


class Raising:
    """An observer that always fails."""

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        raise RuntimeError("began")

    def initialized(
        self,
        target: Target,
        instance: str,
        took_ms: float,
        failure: Failure | None,
        *,
        restored: bool,
        phase: Phase = "init",
    ) -> None:
        raise RuntimeError("initialized")

    def started(self, target: Target, instance: str, call: Call) -> None:
        raise RuntimeError("started")

    def output(self, target: Target, instance: str, call: Call | None, lines: list[tuple[float, str]]) -> None:
        raise RuntimeError("output")

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        raise RuntimeError("finished")

    def terminated(self, target: Target, instance: str, reason: str) -> None:
        raise RuntimeError("terminated")


async def test_an_observer_that_fails_costs_no_caller_its_answer(
    make_engine: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(observer=Raising())
    for _ in range(2):
        assert (await engine.invoke(target("functions.prints"), call({"lines": 1}))).failure is None
    await engine.close(0)
    assert {record.exc_info[1].args[0] for record in caplog.records if record.exc_info and record.exc_info[1]} == {
        "began",
        "started",
        "output",
        "finished",
        "terminated",
    }


async def test_a_caller_does_not_wait_for_a_kill_that_takes_its_time(
    engine: LocalEngine, factory: ForkedFactory, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.engine.ending.KILL_GRACE_S", 0.05)
    running = asyncio.create_task(engine.invoke(target("functions.sleeps", timeout_s=1), call()))
    await recorder.wait_for(lambda: bool(recorder.of("output")))
    sandbox = factory.sandboxes[0]
    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "kill", lambda: None)
        outcome = await running
        assert outcome.failure is not None
        assert outcome.failure.kind == "timeout"
        assert [i.state for pool in engine.snapshot() for i in pool.instances] == ["ending"]
    sandbox.kill()
    await recorder.wait_for(lambda: recorder.of("terminated") == [(outcome.instance, "timeout")])


async def test_memory_that_cannot_be_read_any_more_keeps_the_last_figure(
    engine: LocalEngine, factory: ForkedFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> int:
        raise OSError("no such device")

    await engine.invoke(target("functions.echo"), call())
    monkeypatch.setattr(factory.sandboxes[0], "peak_memory", unreadable)
    assert (await engine.invoke(target("functions.echo"), call())).peak_memory_bytes == PEAK


async def test_a_sandbox_that_cannot_be_discarded_is_logged_and_forgotten(
    engine: LocalEngine,
    factory: ForkedFactory,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stuck() -> None:
        raise OSError("device or resource busy")

    await engine.invoke(target("functions.echo"), call())
    monkeypatch.setattr(factory.sandboxes[0], "discard", stuck)
    engine.retire("functions.echo")
    await recorder.wait_for(lambda: bool(recorder.of("terminated")))
    await asyncio.sleep(0)

    assert engine.snapshot() == ()
    assert "could not be taken down" in caplog.text
    monkeypatch.undo()
