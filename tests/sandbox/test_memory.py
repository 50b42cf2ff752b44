"""What an instance of a small function has of its own: copies of pages, no modules but the template's, processors."""

import os
import sys
from pathlib import Path

import pytest

from mayfly.sandbox.agent_sandbox import AgentSandbox
from mayfly.sandbox.api import Sandbox
from mayfly.sandbox.python import preload

from . import parcels
from .talk import Talks
from .test_freezing import until
from .test_templates import fork, prepare

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

# 740 pages are what one of a burst has; the look itself, other Pythons and other kernels take more.
MOST_PAGES = 1100

PRIVATE = """
with open("/proc/self/smaps_rollup") as file:
    result = next(int(line.split()[1]) // 4 for line in file if line.startswith("Private_Dirty:"))
"""
LOADED = "import sys; result = sorted({name.partition('.')[0] for name in sys.modules})"
SHARE = 0.25
FORK = """
import os, threading
lock = threading._active_limbo_lock
reading, writing = os.pipe()
if os.fork() == 0:
    os.write(writing, b"%d" % (threading._active_limbo_lock is not lock))
    os._exit(0)
os.wait()
result = [os.read(reading, 10) == b"1", threading.main_thread() is threading.current_thread()]
result.append(threading.main_thread().ident == threading.get_ident())
"""


async def test_an_instance_has_few_pages_of_its_own(isolated: Talks) -> None:
    talk = await isolated.ready()
    assert await talk.run(PRIVATE) < MOST_PAGES


async def test_an_instance_has_the_standard_library_and_the_packages_of_the_runtime_in_memory(isolated: Talks) -> None:
    talk = await isolated.ready()
    loaded = set(await talk.run(LOADED))
    others = loaded - set(sys.stdlib_module_names) - set(preload.PACKAGES) - {"__main__", "__mp_main__", "lab"}
    assert {name for name in others if not name.startswith("_sysconfigdata")} == set()


async def test_a_function_that_forks_has_the_hooks_that_its_own_start_was_spared(isolated: Talks) -> None:
    talk = await isolated.ready()
    assert await talk.run(FORK) == [True, True, True]


async def test_so_has_a_function_whose_packages_were_loaded_ahead(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "import concurrent.futures, logging, threading\n")
    await prepare(isolated, code)
    talk = await fork(isolated, code)
    assert await talk.run(FORK) == [True, True, True]


def processors_of(sandbox: Sandbox) -> float:
    """How many processors the kernel lets a sandbox use."""
    assert isinstance(sandbox, AgentSandbox)
    group = Path(os.readlink(f"/proc/self/fd/{sandbox._peak}")).parent
    if (group / "cpu.max").exists():
        quota, period = (group / "cpu.max").read_text().split()
        return int(quota) / int(period)
    (found,) = Path("/sys/fs/cgroup/cpu").glob(f"**/{group.parent.name}/{group.name}/cpu.cfs_quota_us")
    return int(found.read_text()) / 100_000


async def test_processors_of_an_instance_can_be_fewer_and_more_while_it_runs(isolated: Talks, tmp_path: Path) -> None:
    code = parcels.make(tmp_path, "import json\n")
    await prepare(isolated, code)
    for talk in (await isolated.ready(), await fork(isolated, code)):
        for wanted in (SHARE, 1.0):
            talk.sandbox.limit_cpus(wanted)
            await until(lambda: processors_of(talk.sandbox) == wanted)  # noqa: B023 (awaited here)


async def test_what_has_ended_has_no_limit_to_change(isolated: Talks) -> None:
    talk = await isolated.ready()
    talk.sandbox.limit_cpus(SHARE)
    await talk.sandbox.discard()
    talk.sandbox.limit_cpus(1.0)
    assert await (await isolated.ready()).run("result = 1") == 1
