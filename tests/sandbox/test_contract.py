"""What `sandbox.api` promises of every sandbox, held against all levels."""

import asyncio
import os
import platform
from pathlib import Path

import pytest

from mayfly.sandbox import frames
from mayfly.sandbox.agent.hierarchy import read_layout
from mayfly.sandbox.api import Exit, SandboxFactory, SandboxSpec, SandboxStartError

from .conftest import ALL_LEVELS, factory_of
from .talk import CODE, RUNTIME, Talks

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", params=ALL_LEVELS)
def factory(request: pytest.FixtureRequest) -> SandboxFactory:
    return factory_of(request)


async def test_a_sandbox_answers_init_and_invocations(talks: Talks) -> None:
    talk = await talks.start()
    assert (await talk.init("lab.echo")).kind == frames.READY
    for number in range(3):
        frame = await talk.invoke({"number": number})
        assert (frame.kind, frame.payload) == (frames.RESULT, b'{"number": %d}' % number)


async def test_an_invocation_may_be_sent_before_the_runtime_is_ready(talks: Talks) -> None:
    talk = await talks.start()
    meta = {"handler": "lab.echo", "environment": {}, "task_root": talk.task_root}
    await talk.send(frames.INIT, meta)
    await talk.send_invoke(1)
    assert [(await talk.receive()).kind for _ in range(2)] == [frames.READY, frames.RESULT]


async def test_what_was_printed_is_in_the_pipe_before_the_answer(talks: Talks) -> None:
    talk = await talks.start()
    await talk.init("lab.echo")
    await talk.invoke({"print": "hello\nworld"})
    assert talk.output() == "hello\nworld\n"


async def test_an_exit_is_reported_with_its_status(talks: Talks) -> None:
    talk = await talks.ready()
    await talk.send_invoke({"code": "sys.exit(7)"})
    how = await talk.sandbox.exited()
    assert (how.reason, how.code) == ("exited", 7)


async def test_a_crash_is_reported_with_its_signal(talks: Talks) -> None:
    talk = await talks.ready()
    await talk.send_invoke({"code": "import ctypes; ctypes.string_at(0)"})
    how = await talk.sandbox.exited()
    assert (how.reason, how.code) == ("signaled", 11)


async def test_kill_and_discard_may_be_called_in_any_order_and_answer_the_same(talks: Talks) -> None:
    talk = await talks.ready()
    talk.sandbox.kill()
    talk.sandbox.kill()
    first = await talk.sandbox.discard()
    talk.sandbox.kill()
    assert first == await talk.sandbox.discard() == await talk.sandbox.exited()
    assert (first.reason, first.code) == ("killed", 9)


async def test_all_who_wait_for_the_end_hear_the_same(talks: Talks) -> None:
    talk = await talks.ready()
    waiting = [asyncio.create_task(talk.sandbox.exited()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    talk.sandbox.kill()
    heard = await asyncio.gather(*waiting[1:])
    assert [how.reason for how in heard] == ["killed", "killed"]


async def test_kill_ends_a_function_that_is_busy(talks: Talks) -> None:
    talk = await talks.ready()
    await talk.send_invoke({"code": "print('busy', flush=True)\nwhile True: pass"})
    assert (await talk.close()).reason == "killed"


async def test_children_that_ignore_signals_are_gone_after_discard(talks: Talks) -> None:
    talk = await talks.ready()
    child = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(3600)"
    await talk.run("subprocess.Popen([sys.executable, '-c', event['child']])", child=child)
    os.set_blocking(talk.sandbox.output, True)
    assert await asyncio.to_thread(os.read, talk.sandbox.output, 100) == b"up\n"
    await talk.sandbox.discard()
    # The child had the pipe's other end too: that it is closed says that the child is gone.
    assert await asyncio.to_thread(os.read, talk.sandbox.output, 100) == b""


async def test_the_runtime_ends_when_the_server_lets_go_of_it(talks: Talks) -> None:
    talk = await talks.ready()
    talk.sandbox.control.close()
    how = await talk.sandbox.exited()
    assert (how.reason, how.code) == ("exited", 0)


async def test_peak_memory_is_known_while_it_runs_and_afterwards(talks: Talks) -> None:
    talk = await talks.ready()
    before = talk.sandbox.peak_memory()
    await talk.run("import builtins; builtins.block = b'x' * (30 << 20)")
    after = talk.sandbox.peak_memory()
    assert after >= before + (20 << 20)
    await talk.run("import builtins; del builtins.block")
    assert talk.sandbox.peak_memory() >= after
    assert (await talk.sandbox.discard()).peak_memory_bytes >= after


async def test_a_peak_within_a_call_is_seen(talks: Talks) -> None:
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    if talks.factory.level != "process" and read_layout().version == 2 and version < (5, 19):
        pytest.skip("before Linux 5.19, the unified hierarchy keeps no peak")
    talk = await talks.ready()
    before = talk.sandbox.peak_memory()
    await talk.run("block = b'x' * (30 << 20)")
    assert talk.sandbox.peak_memory() >= before + (20 << 20)


async def test_many_sandboxes_start_at_once_and_are_separate(talks: Talks) -> None:
    group = await asyncio.gather(*(talks.ready() for _ in range(12)))
    names = await asyncio.gather(*(talk.run(f"os.environ['WHO'] = '{n}'") for n, talk in enumerate(group)))
    assert names == [None] * 12
    assert [await talk.run("result = os.environ['WHO']") for talk in group] == [str(n) for n in range(12)]
    assert len({talk.sandbox.id for talk in group}) == 12


async def test_code_that_does_not_exist_is_an_error_that_names_it(talks: Talks, tmp_path: Path) -> None:
    with pytest.raises(SandboxStartError, match="nowhere"):
        await talks.start(tmp_path / "nowhere")


async def test_a_runtime_that_was_not_prepared_is_an_error(talks: Talks) -> None:
    with pytest.raises(SandboxStartError, match="not prepared"):
        await talks.start(runtime="python3.99")


async def test_a_label_is_checked(talks: Talks) -> None:
    with pytest.raises(ValueError, match="label"):
        await talks.start(label="../evil")


async def test_preparing_twice_is_preparing_once(talks: Talks) -> None:
    from mayfly.sandbox import interpreters

    await asyncio.gather(*(talks.factory.prepare(RUNTIME, interpreters.current()) for _ in range(3)))
    await talks.ready()


async def test_layers_are_merged_and_later_ones_win(talks: Talks, tmp_path: Path, layer: Path) -> None:
    second = tmp_path / "second"
    (second / "python").mkdir(parents=True)
    (second / "python" / "from_layer.py").write_text("WHO = 'second'\n")
    (second / "python" / "other.py").write_text("HERE = True\n")
    alone = await talks.ready(layers=(layer,))
    both = await talks.ready(layers=(layer, second))
    assert await alone.run("import from_layer; result = from_layer.WHO") == "first"
    assert await both.run("import from_layer, other; result = [from_layer.WHO, other.HERE]") == ["second", True]


async def test_paths_may_be_relative_to_the_servers_directory(
    talks: Talks, tmp_path: Path, layer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab.py").write_text((CODE / "lab.py").read_text())
    os.chmod(tmp_path, 0o755)
    monkeypatch.chdir(tmp_path.parent)
    name = Path(tmp_path.name)
    talk = await talks.ready(name, layers=(name / "layer",))
    assert await talk.run("import from_layer; result = from_layer.WHO") == "first"


async def test_a_start_that_is_cancelled_leaves_nothing_behind(talks: Talks) -> None:
    task = asyncio.create_task(talks.factory.start(SandboxSpec(RUNTIME, CODE, label="cancelled")))
    await asyncio.sleep(0)
    task.cancel()
    result = (await asyncio.gather(task, return_exceptions=True))[0]
    if not isinstance(result, BaseException):  # it was faster
        assert isinstance(await result.discard(), Exit)
        result.control.close()
        os.close(result.output)
    await talks.ready()
