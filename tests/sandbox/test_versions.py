"""Every Python of this machine can be a template."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import Interpreter, SandboxUnavailableError
from mayfly.sandbox.namespace import AgentFactory

from .talk import Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]


def pythons() -> list[Interpreter]:
    """What is found for users, and the system's own, whose installation is not apart from the rest of /usr."""
    found = list(interpreters.find(os.environ.get("PATH", ""), Path.home()))
    system = Path("/usr/bin/python3")
    if system.exists() and (one := interpreters.probe(system.resolve())) is not None and one not in found:
        found.append(one)
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everything(namespaces: AgentFactory) -> AsyncIterator[Talks]:
    talks = Talks(namespaces)
    yield talks
    await talks.close()


@pytest.mark.parametrize("python", pythons(), ids=lambda one: f"{one.prefix}".strip("/").replace("/", "-"))
async def test_a_function_runs_on_its_python_isolated_and_with_the_standard_library(
    everything: Talks, python: Interpreter
) -> None:
    runtime = f"python-{'.'.join(map(str, python.version))}-{str(python.prefix).replace('/', '-')}"
    await everything.factory.prepare(runtime, python)
    for _ in range(3):  # from the spare clone and without it
        talk = await everything.ready(runtime=runtime)
        modules = "asyncio, ctypes, hashlib, json, lzma, multiprocessing, sqlite3, ssl, zoneinfo"
        facts = await talk.run(
            f"import {modules}\n"
            "status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)\n"
            "child = subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True, text=True).stdout\n"
            "open('/tmp/own', 'w').write('#!/var/lang/bin/python\\nimport ssl, sys; print(*sys.version_info[:3])')\n"
            "os.chmod('/tmp/own', 0o700)\n"
            "own = subprocess.run(['/tmp/own'], capture_output=True, text=True).stdout\n"
            "pool = multiprocessing.get_context('fork')\nqueue = pool.SimpleQueue()\n"
            "worker = pool.Process(target=queue.put, args=(5,)); worker.start(); worker.join()\n"
            "result = [list(sys.version_info[:3]), os.getpid(), status['CapEff'].strip(), status['Seccomp'].strip(), "
            "child, queue.get(), os.getuid() >= 0x70000000, own]"
        )
        assert facts == [list(python.version), 1, "0" * 16, "2", "42\n", 5, True, "{} {} {}\n".format(*python.version)]


async def test_an_interpreter_that_cannot_be_started_is_an_error(everything: Talks, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(SandboxUnavailableError, match="died at its start"):
        await everything.factory.prepare("broken", Interpreter((3, 11, 0), broken, tmp_path))
    with pytest.raises(SandboxUnavailableError, match="No such file"):
        await everything.factory.prepare("absent", Interpreter((3, 11, 0), tmp_path / "absent", tmp_path))
    await everything.ready()
