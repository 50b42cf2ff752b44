"""The engine on programs that bring their own runtime, at the levels that Mayfly ships."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.engine.api import Call, Outcome
from mayfly.engine.engine import LocalEngine
from mayfly.sandbox.api import SandboxFactory

from .conftest import Recorder, result
from .programs import ASK, ECHO, program, write


@pytest.fixture
def factory(real_factory: SandboxFactory) -> SandboxFactory:
    return real_factory


@pytest.fixture
async def engine(factory: SandboxFactory, recorder: Recorder) -> AsyncIterator[LocalEngine]:
    numbers = itertools.count(1)
    made = LocalEngine(
        factory,
        recorder,
        SystemClock(),
        memory_mb=32_768,
        new_id=lambda: f"i{next(numbers)}",
        init_timeout_s=2,
    )
    yield made
    await made.close(0)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    directory = tmp_path / "code"
    directory.mkdir()
    directory.chmod(0o755)
    return directory


def call(event: Any = None, request_id: str = "r1") -> Call:
    return Call(request_id, json.dumps(event).encode(), "arn:aws:lambda:us-east-1:000000000000:function:f")


def failed(outcome: Outcome) -> tuple[str, int | None, int | None]:
    assert outcome.failure is not None, outcome
    return outcome.failure.kind, outcome.failure.exit_status, outcome.failure.signal


async def test_a_bootstrap_in_bash_answers_calls(engine: LocalEngine, code: Path, recorder: Recorder) -> None:
    write(code, ECHO)
    made = program(code)

    first = await engine.invoke(made, call(1, "r1"))
    second = await engine.invoke(made, call({"a": "ü"}, "r2"))

    assert (result(first), result(second)) == ({"you said": 1}, {"you said": {"a": "ü"}})
    assert (first.cold, second.cold, second.instance) == (True, False, first.instance)
    assert (recorder.lines("r1"), recorder.lines("r2")) == (["booting", "got 1"], ['got {"a": "\\u00fc"}'])


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("exit 3", ("exited", 3, None)), ("kill -SEGV $$", ("exited", None, 11)), ("exit 0", ("exited", 0, None))],
)
async def test_a_runtime_that_ends_fails_its_call_and_is_replaced(
    engine: LocalEngine, code: Path, ending: str, kind: tuple[str, int | None, int | None]
) -> None:
    write(code, ASK + f"next; [ $body = 1 ] && {ending}; ask POST $runtime/invocation/$id/response null; next\n")
    made = program(code)

    assert failed(await engine.invoke(made, call(1))) == kind
    assert result(await engine.invoke(made, call(2))) is None


async def test_a_runtime_that_ends_in_init_twice_fails_the_call(
    engine: LocalEngine, code: Path, recorder: Recorder
) -> None:
    write(code, "#!/bin/bash\necho no >&2\nexit 9\n")

    assert failed(await engine.invoke(program(code), call())) == ("exited", 9, None)
    assert recorder.lines("r1") == ["no", "no"]


@pytest.mark.parametrize(
    ("content", "mode", "cause"),
    [
        (None, 0, "Couldn't find valid bootstrap(s): [{root}/bootstrap /opt/bootstrap]"),
        ("#!/bin/bash\n", 0o644, "fork/exec {root}/bootstrap: permission denied"),
        ("garbage", 0o755, "fork/exec {root}/bootstrap: exec format error"),
    ],
)
async def test_a_bootstrap_that_cannot_be_started_is_an_invalid_entrypoint(
    engine: LocalEngine, factory: SandboxFactory, code: Path, content: str | None, mode: int, cause: str
) -> None:
    if content is not None:
        write(code, content, mode=mode)

    outcome = await engine.invoke(program(code), call())

    assert outcome.failure is not None
    root = str(code) if factory.level == "process" else "/var/task"
    assert outcome.failure.error_type == "Runtime.InvalidEntrypoint"
    assert outcome.failure.cause == cause.format(root=root)


async def test_a_runtime_that_never_polls_runs_out_of_time_for_init(engine: LocalEngine, code: Path) -> None:
    write(code, "#!/bin/bash\nexec sleep 1000\n")

    assert failed(await engine.invoke(program(code, timeout_s=1), call()))[0] == "init-timeout"


async def test_a_call_that_was_not_fetched_when_the_runtime_ended_runs_elsewhere(
    engine: LocalEngine, code: Path
) -> None:
    write(code, ASK + "next; ask POST $runtime/invocation/$id/response $body; sleep 0.3; exit 1\n")
    made = program(code)

    outcomes = [await engine.invoke(made, call(number)) for number in range(3)]

    assert [result(outcome) for outcome in outcomes] == [0, 1, 2]
    assert len({outcome.instance for outcome in outcomes}) == 3


async def test_errors_carry_what_the_runtime_said(engine: LocalEngine, code: Path) -> None:
    write(
        code,
        ASK
        + """next
ask POST $runtime/invocation/$id/error '{"errorType": "E", "errorMessage": "m"}' 'Lambda-Runtime-Function-Error-Type: E'
next
""",
    )

    outcome = await engine.invoke(program(code), call())

    assert outcome.failure is not None
    assert (outcome.failure.kind, json.loads(outcome.failure.payload)) == (
        "raised",
        {"errorType": "E", "errorMessage": "m"},
    )


async def test_calls_at_once_have_instances_of_their_own(engine: LocalEngine, code: Path) -> None:
    write(code, ECHO)
    made = program(code)

    outcomes = await asyncio.gather(*(engine.invoke(made, call(number, f"r{number}")) for number in range(6)))

    assert [result(outcome) for outcome in outcomes] == [{"you said": number} for number in range(6)]
    assert len({outcome.instance for outcome in outcomes}) == 6


async def test_an_answer_after_the_deadline_is_none(engine: LocalEngine, code: Path) -> None:
    write(code, ASK + "while next; do [ $body = 1 ] && sleep 1.3; ask POST $runtime/invocation/$id/response 7; done\n")
    made = program(code, timeout_s=1)

    late = await engine.invoke(made, call(1))
    good = await engine.invoke(made, call(2))

    assert (failed(late)[0], late.duration_ms) == ("timeout", 1000)
    assert result(good) == 7
    assert good.instance != late.instance


async def test_a_program_that_takes_too_much_memory_is_ended_for_that(
    engine: LocalEngine, factory: SandboxFactory, code: Path
) -> None:
    if factory.level == "process":
        pytest.skip("there, memory is not limited")
    write(code, ASK + "next\nx=$(head -c 200000000 /dev/zero | tr '\\0' x)\nsleep 100\n")

    assert failed(await engine.invoke(program(code, memory_mb=128), call()))[0] == "out-of-memory"


async def test_the_runtime_in_the_guide_is_one(engine: LocalEngine, code: Path) -> None:
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "custom-runtimes.md"
    write(code, guide.read_text(encoding="utf-8").partition("```bash\n")[2].partition("```")[0])
    made = program(code)

    assert [result(await engine.invoke(made, call(number))) for number in range(2)] == [
        {"you said": 0},
        {"you said": 1},
    ]


async def test_many_programs_at_once_each_get_their_own_calls_whatever_becomes_of_others(
    engine: LocalEngine, code: Path, recorder: Recorder
) -> None:
    """A soak: calls of several functions, some of which answer twice, or end, or break off, or write garbage."""
    speaks = """[[ $body = *good* ]] && { ask POST $runtime/invocation/$id/response "\\"$id\\""; continue; }
case $body in
  *twice*) ask POST $runtime/invocation/$id/response 1; ask POST $runtime/invocation/$id/response 2;;
  *ends*) exit 4;;
  *garbage*) exec 3<>/dev/tcp/${api[0]}/${api[1]}; printf 'rubbish\\0\\r\\n\\r\\n' >&3; exec 3<&-
    ask POST $runtime/invocation/$id/response 3;;
  *other*) ask POST $runtime/invocation/r-good-1/response '"stolen"'; ask POST $runtime/invocation/$id/error '{}';;
esac"""
    write(code, ASK + f"while next; do\n{speaks}\ndone\n")
    targets = [replace(program(code), key=f"p{number}", function=f"p{number}") for number in range(3)]
    kinds = ["good", "twice", "ends", "garbage", "other"]

    async def one(number: int) -> None:
        kind, request = kinds[number % len(kinds)], f"r-{kinds[number % len(kinds)]}-{number}"
        outcome = await engine.invoke(targets[number % len(targets)], call(kind, request))
        if kind == "good":
            assert result(outcome) == request
        elif kind == "ends":
            assert failed(outcome) == ("exited", 4, None)
        elif kind == "other":
            assert failed(outcome)[0] == "raised"
        else:
            assert result(outcome) in (1, 3)

    for start in range(0, 60, 12):
        await asyncio.gather(*(one(number) for number in range(start, start + 12)))
    assert len(recorder.of("finished")) == 60
