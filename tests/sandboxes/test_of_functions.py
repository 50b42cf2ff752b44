"""Sandboxes with a function's package: `python` runs from memory in them, with modules loaded before they began."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import TRUST

from .test_sandboxes_over_the_wire import Shell

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="processes that sandboxes are forked from are made by root"),
]

PACKAGE = {
    "app.py": "def handler(event, context): return 1",
    "heavy/__init__.py": "import random, sys\nARGUMENTS = list(sys.argv)\nMADE_IN = random.Random()\n",
    "heavy-1.0.dist-info/RECORD": "heavy/__init__.py,,\nheavy-1.0.dist-info/RECORD,,\n",
}


@pytest.fixture(scope="module")
def function(platform: PlatformProcess) -> Iterator[str]:
    client, iam, name = platform.client("lambda"), platform.client("iam"), f"box-{uuid4().hex[:8]}"
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    code = {"ZipFile": zipped(dict(PACKAGE))}
    client.create_function(FunctionName=name, Runtime="python3.11", Handler="app.handler", Role=role, Code=code)
    yield name
    client.delete_function(FunctionName=name)


@pytest.fixture
def shell(platform: PlatformProcess) -> Iterator[Shell]:
    made = Shell(platform)
    yield made
    made.clean()


Python = Callable[..., str]


@pytest.fixture
def python(shell: Shell, function: str) -> Python:
    """What a `python` of a new sandbox prints."""

    def run(*words: str, **how: Any) -> str:
        return shell("run", "-i", "--function", function, "--import", "heavy", "--", "python", *words, **how)

    return run


def test_modules_are_loaded_before_the_program_begins(python: Python, shell: Shell, function: str) -> None:
    look = "import sys; print('heavy' in sys.modules); import heavy; print(heavy.ARGUMENTS == sys.argv, __name__)"
    assert python("-c", look) == "True\nFalse __main__\n"
    cold = shell("run", "--function", function, "--", "python", "-c", look)
    assert cold == "False\nTrue __main__\n"


def test_it_is_a_python_like_any_other(python: Python) -> None:
    assert python("-c", "import sys; print(sys.argv, sys.path[0] == ''); exit(3)", "a", "b", status=3) == (
        "['-c', 'a', 'b'] True\n"
    )
    assert python(stdin=b"import sys; print(__name__, sys.argv)") == "__main__ ['']\n"
    assert python("-c", "print(input())", stdin=b"said\n") == "said\n"
    assert python("-c", "raise SystemExit('no')", status=1) == "no\n"
    assert python("-c", "1/0", status=1).splitlines() == [
        "Traceback (most recent call last):",
        '  File "<string>", line 1, in <module>',
        "ZeroDivisionError: division by zero",
    ]
    assert "SyntaxError" in python("-c", "for", status=1)
    assert "usage: python -m json.tool" in python("-m", "json.tool", "-h")
    assert python("-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)", status=143) == ""
    assert "takes -c CODE" in python("-X", "dev", status=2)
    assert "No such file" in python("/tmp/missing.py", status=1)
    late = "import atexit, threading, time; atexit.register(print, 'last'); threading.Thread(target=print).start()"
    assert python("-c", late) == "\nlast\n"


def test_a_program_has_its_own_variables_streams_and_random_numbers(shell: Shell, function: str) -> None:
    box = shell.box("--function", function, "--import", "heavy", "--env", "COLOUR=red")
    look = (
        "import os, random, heavy, json; print(json.dumps([os.environ['COLOUR'], sorted(os.environ), os.getcwd(), "
        "sorted(map(int, os.listdir('/proc/self/fd')))[:3], random.random(), heavy.MADE_IN.random()]))"
    )
    other = shell("fork", box).split()[0]
    shell.made.append(other)
    told = [json.loads(shell("exec", place, "--", "python", "-c", look)) for place in (box, box, other)]
    for colour, names, directory, descriptors, *_ in told:
        assert (colour, directory, descriptors) == ("red", "/tmp", [0, 1, 2])
        assert not [name for name in names if name.startswith("AWS_")]
    assert len({one[4] for one in told}) == len({one[5] for one in told}) == 3


def test_scripts_and_other_programs_run_beside_it(shell: Shell, function: str, tmp_path: Path) -> None:
    box = shell.box("--function", function, "--import", "heavy")
    (tmp_path / "tool.py").write_text("import sys, heavy, other; print(sys.argv, other.NAME, __file__)")
    (tmp_path / "other.py").write_text("NAME = 'neighbour'")
    shell("cp", str(tmp_path / "tool.py"), f"{box}:/tmp/tool.py")
    shell("cp", str(tmp_path / "other.py"), f"{box}:/tmp/other.py")
    assert shell("exec", box, "--", "python", "tool.py", "x") == "['tool.py', 'x'] neighbour /tmp/tool.py\n"
    assert shell("exec", box, "--", "sh", "-c", "ls /var/task; touch /var/task/x", status=1).startswith("__pycache__\n")
    snapshot = shell("snapshot", box).split()[0]
    again = shell("run", "--snapshot", snapshot, "--", "python", "/tmp/tool.py")
    assert again == "['/tmp/tool.py'] neighbour /tmp/tool.py\n"
    shell("rm", snapshot)


def test_layers_of_the_function_are_there_and_extensions_are_not_started(
    platform: PlatformProcess, shell: Shell, function: str
) -> None:
    client, name = platform.client("lambda"), f"box-{uuid4().hex[:8]}"
    content = {"python/of_layer.py": "WHO = 'layer'\n", "extensions/none": "#!/bin/sh\nexit 1\n"}
    layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(content)})["LayerVersionArn"]
    client.update_function_configuration(FunctionName=function, Layers=[layer])
    words = ("python", "-c", "import of_layer, heavy; print(of_layer.WHO)")
    for options in ((), ("--import", "heavy"), ("--level", "container")):
        assert shell("run", "--function", function, *options, "--", *words) == "layer\n"
    client.update_function_configuration(FunctionName=function, Layers=[])
    client.delete_layer_version(LayerName=name, VersionNumber=1)


def test_what_cannot_be_made_is_refused_in_words(shell: Shell, function: str) -> None:
    def refused(*options: str) -> str:
        return shell("run", *options, "--", "python", "-c", "", status=1)

    assert "Function not found" in refused("--function", "no-such-function")
    assert "cannot be loaded ahead" in refused("--function", function, "--import", "nonsense")
    assert "no templates" in refused("--function", function, "--import", "heavy", "--level", "container")
    assert "say which function" in refused("--import", "heavy")
    assert "names of modules" in refused("--function", function, "--import", "os;exit()")
    assert "of one of them" in refused("--function", function, "--image", "mayfly.local/a:1")


def test_without_modules_to_load_it_runs_in_a_container_too(shell: Shell, function: str) -> None:
    words = ("run", "--function", function, "--level", "container", "--", "python", "-c", "import heavy; print(1)")
    assert shell(*words) == "1\n"
