"""What a template does so that its forks write to less memory leaves no trace in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mayfly.sandbox import parcel

from .talk import Talks

# Rehearses, and prints what a function could see of the process before and after.
TRACES = """
import json, os, sys, threading; sys.path.insert(0, sys.argv[1])
import logging
from mayfly.sandbox.python import rehearsal
def look():
    return [list(sys.path), sorted(sys.path_importer_cache), sorted(sys.modules), dict(os.environ), os.getcwd(),
            sorted(os.listdir("/proc/self/fd")), len(logging.getLogger().handlers), threading.active_count()]
os.environ["KEPT"] = "1"
prepare = getattr(rehearsal, sys.argv[3])
prepare(sys.argv[2])
before = look()
prepare(sys.argv[2])
print(json.dumps([before, look()]))
"""
HANDLERS = """
import logging, sys; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.python import logs
root, first, second = logging.getLogger(), logs.Current(), logs.Current()
logs.set_up({}, first)
made = root.handlers[0]
second.request_id = "of the second"
logs.set_up({}, second)
same = root.handlers == [made]
logging.warning("one")
logs.set_up({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, second)
logging.warning("two")
root.addHandler(logging.NullHandler())
logs.set_up({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, second)
print(same, len(root.handlers))
"""
ZONES = """
import os, sys, time; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.python import bootstrap
os.environ["TZ"] = ":UTC"; time.tzset()
bootstrap.set_environment({"TZ": "XYZ-3", "A": "1"})
print(time.strftime("%Z"), dict(os.environ))
bootstrap.set_environment({})
os.environ["TZ"] = "XYZ-3"; time.tzset()
bootstrap.set_environment({"TZ": "UTC"})
print(time.strftime("%Z"), dict(os.environ))
"""
# The same in a shared template, where a package has put something in the place of what a start needs.
SHARED = """
import json, os, sys, threading; sys.path.insert(0, sys.argv[1])
from mayfly.sandbox.python import ahead, bootstrap, generators, logs, rehearsal
bootstrap.open_output()
with generators.Generators() as seeds: ready = ahead.Ready(logs.Current(), seeds)
os.environ["KEPT"] = "1"
def look():
    return [list(sys.path), sorted(sys.modules), dict(os.environ), os.getcwd(), sorted(os.listdir("/proc/self/fd"))]
ready.warm()
before = look()
def broken(*_, **__): raise ValueError("a package did it")
if sys.argv[2] != "well": json.dumps = broken
if sys.argv[2] == "exits": logs.Current = sys.exit
rehearsal.warm_shared(ready)
sys.stderr.write(repr((look() == before, ready.rehearses, ready.function, ready.current.request_id)))
"""
# What a function sees of the process that it is in, without what differs in any two.
SEEN = """
import logging, os, sys, threading
result = [sys.path, sorted(sys.path_importer_cache), sorted(sys.modules), dict(os.environ), os.getcwd(),
          sorted(os.listdir("/proc/self/fd")), os.listdir("/tmp"), len(logging.getLogger().handlers),
          threading.active_count(), os.fork.__closure__ is not None]
"""


def run(program: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-I", "-S", "-c", program, str(parcel.source()), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("how", ["rehearse", "warm"])
def test_a_rehearsal_leaves_paths_modules_variables_directory_and_descriptors_as_they_were(
    tmp_path: Path, how: str
) -> None:
    (output,) = run(TRACES, str(tmp_path), how)
    before, after = json.loads(output)
    assert after == before
    assert before[3]["KEPT"] == "1"
    assert "colorsys" not in before[2]


@pytest.mark.parametrize(("how", "again"), [("well", True), ("raises", False), ("exits", False)])
def test_a_shared_template_rehearses_without_a_trace_and_leaves_it_where_packages_are_in_the_way(
    how: str, again: bool
) -> None:
    command = [sys.executable, "-I", "-S", "-c", SHARED, str(parcel.source()), how]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.stderr.endswith(repr((True, again, None, "")))
    assert done.stdout == "" or not again


def test_the_logging_that_a_template_set_up_is_kept_where_it_suits_and_made_anew_where_not() -> None:
    first, second, last = run(HANDLERS)
    assert first.startswith("[WARNING]")
    assert first.endswith("\tof the second\tone")
    assert json.loads(second)["requestId"] == "of the second"
    assert last == "True 1"


def test_an_instance_has_its_own_variables_alone_and_its_own_zone() -> None:
    assert run(ZONES) == ["XYZ {'TZ': 'XYZ-3', 'A': '1'}", "UTC {'TZ': 'UTC'}"]


@pytest.mark.root
@pytest.mark.asyncio(loop_scope="module")
async def test_an_instance_that_waited_as_a_spare_looks_to_a_function_like_any_other(isolated: Talks) -> None:
    spare, other = await isolated.ready(ahead=True), await isolated.ready()
    assert await spare.run(SEEN) == await other.run(SEEN)


@pytest.mark.root
@pytest.mark.asyncio(loop_scope="module")
async def test_a_spare_finds_the_modules_of_its_layers_first(isolated: Talks, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "python").mkdir(parents=True)
    (layer / "python" / "colorsys.py").write_text("MINE = True\n")
    talk = await isolated.ready(layers=(layer,), ahead=True)
    assert await talk.run("import colorsys; result = colorsys.__file__") == "/opt/python/colorsys.py"


@pytest.mark.root
@pytest.mark.asyncio(loop_scope="module")
async def test_a_spare_starts_one_process_where_a_function_starts_one(isolated: Talks) -> None:
    talk = await isolated.ready(ahead=True)
    code = "import subprocess\npid = os.fork()\nif pid == 0: os._exit(3)\n"
    code += "result = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), subprocess.run(['true']).returncode]"
    assert await talk.run(code) == [3, 0]
    nested = "inner = os.fork.__closure__[1].cell_contents; result = getattr(inner, '__closure__', None) is None"
    assert await talk.run(nested)


@pytest.mark.root
@pytest.mark.asyncio(loop_scope="module")
async def test_spares_that_drew_their_seeds_ahead_share_no_number_and_no_key(isolated: Talks) -> None:
    drawn = (
        "import random, multiprocessing\nresult = [random.random(), multiprocessing.current_process().authkey.hex()]"
    )
    told = [await (await isolated.ready(ahead=True)).run(drawn) for _ in range(3)]
    assert len({number for number, _ in told}) == len({key for _, key in told}) == 3
