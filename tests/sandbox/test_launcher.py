"""Sandboxes that hold programs: what the launcher in them does, at all levels."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.sandbox import frames
from mayfly.sandbox.api import Exit, SandboxFactory
from mayfly.sandbox.oci.runtimes import GVISOR
from tests.engine.programs import bring

from .conftest import ALL_LEVELS, ISOLATED_LEVELS, factory_of
from .talk import PATIENCE_S, Talk, Talks

pytestmark = pytest.mark.asyncio(loop_scope="module")
VARIABLES = {"PATH": "/usr/bin:/bin", "COLOUR": "blue"}


@pytest.fixture(scope="module", params=ALL_LEVELS)
def factory(request: pytest.FixtureRequest) -> SandboxFactory:
    return factory_of(request)


@pytest.fixture(scope="module", params=ISOLATED_LEVELS)
def isolating(request: pytest.FixtureRequest) -> SandboxFactory:
    return factory_of(request)


class Launching(Talk):
    """A sandbox with a launcher in it."""

    async def launch(self, *argv: str, number: int = 1, directory: str = "/") -> frames.Frame:
        meta = {"name": "p", "argv": argv, "environment": VARIABLES, "directory": directory}
        await asyncio.get_running_loop().sock_sendall(
            self.sandbox.control, frames.encode(frames.LAUNCH, meta, b"", number)
        )
        return await self.receive()

    async def signal(self, number: int, which: int) -> None:
        data = frames.encode(frames.SIGNAL, {"signal": which}, b"", number)
        await asyncio.get_running_loop().sock_sendall(self.sandbox.control, data)

    async def printed_by(self, *argv: str) -> str:
        """What a program prints that ends well."""
        launched = await self.launch(*argv)
        assert launched.kind == frames.LAUNCHED, launched
        ended = await self.receive()
        assert (ended.kind, ended.meta) == (frames.ENDED, {"code": 0}), (ended, self.output())
        return self.output()


class Launchers(Talks):
    async def program(self, code: Path, **spec: Any) -> Launching:
        made = await self.start(code, program=True, runtime="", **spec)
        launching = Launching(made.sandbox, made.task_root)
        self._open[-1] = launching
        return launching


@pytest_asyncio.fixture(loop_scope="module")
async def launchers(factory: SandboxFactory) -> AsyncIterator[Launchers]:
    launchers = Launchers(factory)
    yield launchers
    await launchers.close()


@pytest_asyncio.fixture(loop_scope="module")
async def isolated_launchers(isolating: SandboxFactory) -> AsyncIterator[Launchers]:
    launchers = Launchers(isolating)
    yield launchers
    await launchers.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    directory = tmp_path / "code"
    directory.mkdir()
    directory.chmod(0o755)
    return directory


async def test_a_program_has_the_variables_and_the_directory_that_it_was_given(
    launchers: Launchers, code: Path
) -> None:
    talk = await launchers.program(code)

    assert await talk.printed_by("sh", "-c", "pwd; env | sort") == "/\nCOLOUR=blue\nPATH=/usr/bin:/bin\nPWD=/\n"


async def test_how_programs_end_is_told_by_their_numbers(launchers: Launchers, code: Path) -> None:
    talk = await launchers.program(code)
    assert (await talk.launch("sh", "-c", "exit 7", number=3)).number == 3
    ended = await talk.receive()
    assert (ended.kind, ended.number, ended.meta) == (frames.ENDED, 3, {"code": 7})

    await talk.launch("sleep", "1000", number=4)
    await talk.signal(4, signal.SIGTERM)
    ended = await talk.receive()
    assert (ended.number, ended.meta) == (4, {"signal": signal.SIGTERM})


@pytest.mark.parametrize(
    ("content", "mode", "error"),
    [(None, 0, 2), ("#!/bin/sh\n", 0o644, 13), ("no program\n", 0o755, 8), ("#!/no/such\n", 0o755, 2)],
)
async def test_what_cannot_be_executed_is_told_with_its_reason(
    launchers: Launchers, code: Path, content: str | None, mode: int, error: int
) -> None:
    if content is not None:
        (code / "program").write_text(content)
        (code / "program").chmod(mode)
    talk = await launchers.program(code)

    failed = await talk.launch(f"{talk.task_root}/program")

    assert (failed.kind, failed.meta) == (frames.LAUNCH_FAILED, {"error": os.strerror(error), "errno": error})


async def test_programs_have_no_descriptors_but_the_usual_ones(launchers: Launchers, code: Path) -> None:
    talk = await launchers.program(code)

    script = "for n in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$n ] && echo $n; done; echo none"
    assert await talk.printed_by("sh", "-c", script) == "none\n"


async def test_programs_do_not_inherit_signals_that_the_launcher_ignores(launchers: Launchers, code: Path) -> None:
    if launchers.factory.level == GVISOR:
        pytest.skip("gVisor's /proc does not tell")
    talk = await launchers.program(code)

    (line,) = (await talk.printed_by("grep", "SigIgn", "/proc/self/status")).splitlines()
    assert int(line.split()[1], 16) & 0x7FFFFFFF == 0  # the C library keeps two of those above to itself


async def test_the_server_can_connect_to_what_listens_inside(launchers: Launchers, code: Path) -> None:
    talk = await launchers.program(code)
    (code / "listen.py").write_text(
        "import socket\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\n"
        "for _ in range(6):\n"
        "    c, _ = s.accept(); c.sendall(b'hello'); c.close()\n"
    )
    launched = await talk.launch("/usr/bin/env", "python3", f"{talk.task_root}/listen.py")
    assert launched.kind == frames.LAUNCHED
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        while "\n" not in talk.output():  # noqa: ASYNC110 (another process prints it)
            await asyncio.sleep(0.01)
        port = int(talk.output())
        for made in await asyncio.gather(*(talk.sandbox.dial() for _ in range(6))):
            with made:
                await loop.sock_connect(made, ("127.0.0.1", port))
                assert await loop.sock_recv(made, 100) == b"hello"


async def test_nobody_is_dialled_in_a_sandbox_that_has_ended(launchers: Launchers, code: Path) -> None:
    talk = await launchers.program(code)
    (await talk.sandbox.dial()).close()
    await talk.sandbox.discard()

    with pytest.raises(ConnectionError):
        await talk.sandbox.dial()


async def test_programs_reach_the_server_where_the_runtime_api_is(launchers: Launchers, code: Path) -> None:
    talk = await launchers.program(code)
    listener = talk.sandbox.runtime_api
    assert listener is not None
    host, port = listener.getsockname()
    await talk.launch("bash", "-c", f"echo hello > /dev/tcp/{host}/{port}")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        connection, _ = await loop.sock_accept(listener)
    with connection:
        assert await loop.sock_recv(connection, 100) == b"hello\n"


async def test_inside_namespaces_the_runtime_api_is_at_port_9001(isolated_launchers: Launchers, code: Path) -> None:
    talk = await isolated_launchers.program(code)

    assert talk.sandbox.runtime_api is not None
    assert talk.sandbox.runtime_api.getsockname() == ("127.0.0.1", 9001)


async def test_orphans_are_buried(isolated_launchers: Launchers, code: Path) -> None:
    talk = await isolated_launchers.program(code)
    script = "(sh -c 'exit 0' & exec sh -c 'exit 0') ; sleep 0.2; cat /proc/[0-9]*/stat | cut -d' ' -f3 | tr -d '\\n'"

    assert "Z" not in await talk.printed_by("sh", "-c", script)


async def test_programs_cannot_look_into_their_launcher(isolated_launchers: Launchers, code: Path) -> None:
    talk = await isolated_launchers.program(code)

    # gVisor lets a program kill its launcher, and with it its sandbox, and read the launcher's empty environment.
    gvisor = isolated_launchers.factory.level == GVISOR
    script = "cat /proc/1/mem; ls /proc/1/fd" if gvisor else "cat /proc/1/environ || cat /proc/1/mem; kill -9 1"
    await talk.launch("sh", "-c", f"{script}; echo done")
    await talk.receive()

    *complaints, last = talk.output().splitlines()
    assert last == "done"
    assert len(complaints) == 2, complaints
    assert (await talk.launch("true", number=2)).kind == frames.LAUNCHED  # it lives


@pytest.mark.root
async def test_a_sandbox_can_have_a_root_of_its_own(isolated_launchers: Launchers, code: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("bin", "dev", "proc", "tmp", "etc", "app"):
        (root / name).mkdir(parents=True)
        (root / name).chmod(0o755)
    root.chmod(0o755)
    (root / "etc" / "hosts").write_text("to be replaced\n")
    (root / "app" / "mine").write_text("of the image\n")
    for program in ("/bin/bash", "/bin/cat"):
        bring(program, root)
    talk = await isolated_launchers.program(root, root=root)

    script = (
        "echo /*; cat /app/mine; echo ours > /tmp/it && cat /tmp/it; echo no > /app/it; echo no > /it;"
        "cat /etc/hosts; echo x > /dev/null; exit 0"
    )
    printed = await talk.printed_by("/bin/bash", "-c", script)

    lines = printed.splitlines()
    shown = [f"/{path.name}" for path in root.iterdir()]
    assert lines[0] == " ".join(sorted([*shown, "/sys"] if isolated_launchers.factory.level == GVISOR else shown))
    assert lines[1:3] == ["of the image", "ours"]
    assert printed.count("Read-only file system") + printed.count("Permission denied") == 2
    assert "127.0.0.1 localhost" in printed


async def test_a_launcher_ends_with_its_sandbox(launchers: Launchers, code: Path) -> None:
    talk = await launchers.program(code)
    launched = await talk.launch("sleep", "1000")
    assert launched.kind == frames.LAUNCHED

    how = await talk.sandbox.discard()

    assert isinstance(how, Exit)
    assert json.loads(launched.head)["pid"] > 0
