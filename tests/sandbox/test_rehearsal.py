"""What a template does so that its forks write to less memory leaves no trace in it."""

import json
import subprocess
import sys
from pathlib import Path

from mayfly.sandbox import parcel

# Rehearses, and prints what a function could see of the process before and after.
TRACES = """
import json, os, sys, threading; sys.path.insert(0, sys.argv[1])
import logging
from mayfly.sandbox.python import bootstrap
def look():
    return [list(sys.path), sorted(sys.path_importer_cache), sorted(sys.modules), dict(os.environ), os.getcwd(),
            sorted(os.listdir("/proc/self/fd")), len(logging.getLogger().handlers), threading.active_count()]
os.environ["KEPT"] = "1"
bootstrap.rehearse(sys.argv[2])
before = look()
bootstrap.rehearse(sys.argv[2])
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
bootstrap._set_environment({"TZ": "XYZ-3", "A": "1"})
print(time.strftime("%Z"), dict(os.environ))
bootstrap._set_environment({})
os.environ["TZ"] = "XYZ-3"; time.tzset()
bootstrap._set_environment({"TZ": "UTC"})
print(time.strftime("%Z"), dict(os.environ))
"""


def run(program: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-I", "-S", "-c", program, str(parcel.source()), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, cwd="/")
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_rehearsal_leaves_paths_modules_variables_directory_and_descriptors_as_they_were(tmp_path: Path) -> None:
    (output,) = run(TRACES, str(tmp_path))
    before, after = json.loads(output)
    assert after == before
    assert before[3]["KEPT"] == "1"
    assert "colorsys" not in before[2]


def test_the_logging_that_a_template_set_up_is_kept_where_it_suits_and_made_anew_where_not() -> None:
    first, second, last = run(HANDLERS)
    assert first.startswith("[WARNING]")
    assert first.endswith("\tof the second\tone")
    assert json.loads(second)["requestId"] == "of the second"
    assert last == "True 1"


def test_an_instance_has_its_own_variables_alone_and_its_own_zone() -> None:
    assert run(ZONES) == ["XYZ {'TZ': 'XYZ-3', 'A': '1'}", "UTC {'TZ': 'UTC'}"]
