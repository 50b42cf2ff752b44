"""What `sandbox.api` promises of shared templates: what their instances share, what not, and how one is lost."""

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import Prepared, SandboxSpec, TemplateInitError, TemplateLostError, TemplateRefusedError
from mayfly.sandbox.namespace import AgentFactory
from mayfly.sandbox.process import ProcessFactory
from tests import processes

from . import parcels
from .talk import RUNTIME, Talk, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

PLAIN = "import os\nMADE_BY = os.getpid()\n"


async def prepare(talks: Talks, code: Path, environment: Mapping[str, str] | None = None, **spec: Any) -> Prepared:
    return await talks.factory.prepare_packages(
        str(code), SandboxSpec(RUNTIME, code, **spec), parcels.MODULES, environment or {}
    )


async def fork(talks: Talks, code: Path, environment: Mapping[str, str] | None = None, *, ahead: bool = False) -> Talk:
    talk = await talks.start(code, template=str(code), ahead=ahead)
    frame = await talk.init(environment=environment)
    assert frame.kind == frames.READY, frame
    return talk


async def test_instances_have_the_packages_and_run_the_functions_own_module_themselves(
    isolated: Talks, tmp_path: Path
) -> None:
    code = parcels.make(tmp_path, PLAIN, "import os, parcel\nIN = os.getpid()")
    prepared = await prepare(isolated, code)
    assert prepared.modules >= 1
    talk = await isolated.start(code, template=str(code))
    ready = await talk.init()
    assert [entry[0] for entry in ready.meta["imports"]] == ["lab"]
    assert await talk.run("import lab; result = lab.IN") == 2
    assert await talk.run("import parcel; result = parcel.MADE_BY") > 2
    assert (talk.sandbox.origin, talk.sandbox.endpoint is not None) == ("template", True)


async def test_instances_are_separate(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "STATE = []\n")
    await prepare(isolated, code)
    one, two = await fork(isolated, code, {"WHO": "one"}), await fork(isolated, code, {"WHO": "two"})
    for talk in (one, two):
        await talk.run("import parcel; parcel.STATE.append(1); open('/tmp/x', 'w').close(); open('/dev/shm/x', 'w')")
        await talk.run("subprocess.Popen(['sleep', '60'])")
    look = "import parcel; result = [len(parcel.STATE), os.environ['WHO'], os.listdir('/tmp'), os.listdir('/dev/shm')]"
    assert await one.run(look) == [1, "one", ["x"], ["x"]]
    assert await two.run(look) == [1, "two", ["x"], ["x"]]
    names = "result = sorted(open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc') if p.isdigit())"
    assert await one.run(names) == ["fn", "sleep"]
    bind = "import builtins; s = builtins.s = socket.socket(socket.AF_UNIX); s.bind('\\0name'); result = 'bound'"
    assert [await one.run(bind), await two.run(bind)] == ["bound", "bound"]


async def test_what_imports_print_and_set_is_the_same_as_without_a_template(isolated: Talks, tmp_path: Path) -> None:
    source = (
        "import os\nprint('imported')\nos.write(2, b'natively\\n')\nos.environ['SET'] = os.environ['GIVEN'] + '!'\n"
    )
    code = parcels.make(tmp_path, source)
    await prepare(isolated, code, {"GIVEN": "given"})
    for _ in range(2):
        talk = await fork(isolated, code, {"GIVEN": "given", "MORE": "more"})
        assert await talk.run("result = [os.environ['SET'], os.environ['MORE']]") == ["given!", "more"]
        assert talk.output() == "imported\nnatively\n"


async def test_files_that_are_open_for_reading_have_an_offset_of_their_own(isolated: Talks, tmp_path: Path) -> None:
    source = "FILE = open(__file__, 'rb', buffering=0)\nFILE.read(4)\n"
    code = parcels.make(tmp_path, source)
    await prepare(isolated, code)
    one, two = await fork(isolated, code), await fork(isolated, code)
    read = "import parcel; result = parcel.FILE.read(6).decode()"
    assert [await one.run(read), await one.run(read), await two.run(read)] == [" = ope", "n(__fi", " = ope"]


async def test_an_instance_ends_like_any_other(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code, memory_mb=128)
    ends = {"sys.exit(7)": ("exited", 7), "import ctypes; ctypes.string_at(0)": ("signaled", 11)}
    ends["hog = []\nwhile True: hog.append(b'x' * (1 << 20))"] = ("out-of-memory", 9)
    ends["subprocess.Popen(['sleep', '600']); os._exit(3)"] = ("exited", 3)
    for attack, expected in ends.items():
        talk = await fork(isolated, code)
        await talk.send_invoke({"code": attack})
        how = await talk.sandbox.exited()
        assert (how.reason, how.code) == expected
        assert how.peak_memory_bytes > 0
    talk = await fork(isolated, code)
    await talk.send_invoke({"code": "while True: pass"})
    assert (await talk.sandbox.discard()).reason == "killed"


async def test_orphans_are_buried(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code)
    talk = await fork(isolated, code)
    await talk.run("for _ in range(5): subprocess.run(['sh', '-c', 'sleep 0.01 & true'])")
    await talk.run("while sum(map(str.isdigit, os.listdir('/proc'))) > 1: time.sleep(0.001)")


async def test_many_start_at_once(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code)
    group = await asyncio.gather(*(fork(isolated, code, {"N": str(n)}) for n in range(24)))
    assert [await talk.run("result = os.environ['N']") for talk in group] == [str(n) for n in range(24)]
    assert len({talk.sandbox.id for talk in group}) == 24


async def test_what_is_made_ahead_waits_for_its_first_frame(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code)
    for template in (str(code), None):
        talk = await isolated.start(code, template=template, ahead=True)
        await talk.init(environment={"TYPE": "ahead"})
        assert await talk.run("result = os.environ['TYPE']") == "ahead"


async def test_a_dropped_template_leaves_its_instances_alone(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code)
    talk = await fork(isolated, code)
    for _ in range(2):
        isolated.factory.drop_template(str(code))
    with pytest.raises(TemplateLostError):
        await isolated.start(code, template=str(code))
    assert await talk.run("result = 'well'") == "well"
    await talk.sandbox.discard()
    await isolated.ready(code)


async def test_an_unknown_template_is_lost(talks: Talks) -> None:
    with pytest.raises(TemplateLostError):
        await talks.start(template="nobody's")


async def test_the_process_level_says_that_it_has_none(tmp_path: Path) -> None:
    factory = ProcessFactory()
    with pytest.raises(TemplateRefusedError, match="the level 'process' has no templates"):
        await factory.prepare_packages("k", SandboxSpec("python", tmp_path), [], {})
    with pytest.raises(TemplateRefusedError, match="has no templates"):
        await factory.prepare_function("k", SandboxSpec("python", tmp_path), "a.b", {}, None)
    factory.drop_template("k")
    await factory.close()


# Templates of functions.


SNAPPED = "import os, random, socket\nTOKEN = random.random()\nINIT = os.environ['TYPE'] + str(os.getpid() > 2)\n"


async def prepare_function(
    talks: Talks,
    code: Path,
    serve: Callable[[socket.socket], Callable[[], None]] | None = None,
    handler: str = "lab.run",
) -> Prepared:
    return await talks.factory.prepare_function(
        str(code), SandboxSpec(RUNTIME, code), handler, {"TYPE": "snap-start"}, serve
    )


async def test_a_template_of_a_function_runs_init_once(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "", SNAPPED)
    await prepare_function(isolated, code)
    seen = []
    for number in range(2):
        talk = await isolated.start(code, template=str(code))
        ready = await talk.init(environment={"N": str(number)})
        assert ready.kind == frames.READY
        assert ready.meta["restore_ms"] >= 0
        seen.append(
            await talk.run("import lab, random; result = [lab.TOKEN, lab.INIT, random.random(), os.environ['N']]")
        )
    assert seen[0][:2] == seen[1][:2] == [seen[0][0], "snap-startTrue"]
    assert (seen[0][2] != seen[1][2], seen[0][3], seen[1][3]) == (True, "0", "1")


async def test_sockets_of_init_are_dead_in_instances(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "", "import socket\nLEFT, RIGHT = socket.socketpair()")
    await prepare_function(isolated, code)
    one, two = await fork(isolated, code), await fork(isolated, code)
    assert await one.run("import lab; result = [errno_of(lab.LEFT.send, b'x'), lab.RIGHT.recv(1).decode()]") == [32, ""]
    assert await two.run("import lab; result = lab.RIGHT.recv(1).decode()") == ""


async def test_an_init_that_raises_is_told_with_its_error_object(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "", "raise LookupError('nothing there')")
    with pytest.raises(TemplateInitError) as raised:
        await prepare_function(isolated, code)
    assert json.loads(raised.value.payload)["errorMessage"] == "nothing there"


async def test_init_reaches_the_platform_through_the_endpoint_of_its_template(isolated: Talks, tmp_path: Path) -> None:
    begin = (
        "import socket\nGOT = socket.create_connection(('127.0.0.1', 4566)).recv(9).decode()\nsocket.socket().close()"
    )
    code = parcels.make(tmp_path, "", begin)
    tasks = []

    def serve(endpoint: socket.socket) -> Callable[[], None]:
        async def answer() -> None:
            loop = asyncio.get_running_loop()
            connection, _ = await loop.sock_accept(endpoint)
            with connection:
                await loop.sock_sendall(connection, b"pong")

        tasks.append(asyncio.create_task(answer()))
        return endpoint.close

    await prepare_function(isolated, code, serve)
    await tasks[0]
    talk = await fork(isolated, code)
    assert await talk.run("import lab; result = lab.GOT") == "pong"


# How a template is lost.


def template_of(name: str) -> int:
    """The process id of the shared template of functions labelled `name`."""
    return processes.oldest_named(f"tp:{name}")


async def test_a_template_that_dies_is_lost_and_the_slower_path_is_open(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code, label="dies")
    talk = await fork(isolated, code)
    os.kill(template_of("dies"), signal.SIGKILL)
    with pytest.raises(TemplateLostError):
        await isolated.start(code, template=str(code))
    assert await talk.run("result = 'well'") == "well"
    assert (await isolated.ready(code)).sandbox.origin == "interpreter"


@pytest.mark.parametrize("victim", ["template", "keeper"])
async def test_a_nest_that_is_killed_amid_starts_fails_those_and_no_others(
    isolated: Talks, tmp_path: Path, victim: str
) -> None:
    code = parcels.make(tmp_path, PLAIN)
    await prepare(isolated, code, label=f"amid-{victim}"[:11])
    template = template_of(f"amid-{victim}"[:11])
    doomed = template if victim == "template" else keeper_of(template)  # found ahead: it takes longer than a start
    first = await fork(isolated, code)
    sibling = await isolated.ready()
    starting = [asyncio.create_task(fork(isolated, code)) for _ in range(16)]
    await asyncio.wait(starting, return_when=asyncio.FIRST_COMPLETED)
    os.kill(doomed, signal.SIGKILL)
    async with asyncio.timeout(60):
        ends = await asyncio.gather(*starting, return_exceptions=True)
    assert all(isinstance(end, Talk | TemplateLostError | ConnectionError) for end in ends), ends
    assert any(isinstance(end, Exception) for end in ends)
    if victim == "keeper":  # everything in the nest ends with it
        assert (await first.sandbox.exited()).reason in {"signaled", "killed"}
    else:
        assert await first.run("result = 'well'") == "well"
    assert await sibling.run("result = 'well'") == "well"
    assert (await isolated.ready(code)).sandbox.origin == "interpreter"


def keeper_of(template: int) -> int:
    """The first process of the pid namespace that a template is in."""
    namespace = os.readlink(f"/proc/{template}/ns/pid")
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            numbers = processes.status_of(int(entry))["NSpid"].split()
            if numbers[-1] == "1" and os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                return int(entry)
    raise LookupError(template)


async def test_the_agents_death_ends_nests_too(tmp_path: Path) -> None:
    factory = AgentFactory.launch(tmp_path / "agent")
    await factory.attach()
    await factory.prepare(RUNTIME, interpreters.current())
    talks = Talks(factory)
    code = parcels.make(tmp_path, PLAIN)
    await prepare(talks, code, label="orphan")
    talk = await fork(talks, code)
    watched = [os.pidfd_open(template_of("orphan"))]
    factory._agent._process.child.kill()
    assert (await talk.sandbox.exited()).reason == "killed"
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(watched[0], ended.set)
    async with asyncio.timeout(60):
        await ended.wait()
    loop.remove_reader(watched[0])
    os.close(watched[0])
    await talks.close()
    await factory.close()
    heir = AgentFactory.launch(tmp_path / "agent")  # which removes the control groups that were left
    await heir.attach()
    await heir.close()


async def test_an_agent_that_ends_amid_starts_buries_what_it_never_heard_of(tmp_path: Path) -> None:
    factory = AgentFactory.launch(tmp_path / "agent")
    await factory.attach()
    await factory.prepare(RUNTIME, interpreters.current())
    talks = Talks(factory)
    code = parcels.make(tmp_path, PLAIN)
    await prepare(talks, code, label="hasty")
    keeper = keeper_of(template_of("hasty"))
    starting = [asyncio.create_task(talks.start(code, template=str(code))) for _ in range(16)]
    await asyncio.wait(starting, return_when=asyncio.FIRST_COMPLETED)
    os.kill(keeper, signal.SIGKILL)
    agent = factory._agent._process.child
    await factory.close()
    await asyncio.gather(*starting, return_exceptions=True)
    assert agent.returncode == 0, "it ended by itself, and waited for nobody for ever"
    await talks.close()
