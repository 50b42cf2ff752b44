"""A component made from Python with `componentize-py`, the example's, on a running platform."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures

SOURCE = Path(__file__).parents[3] / "examples" / "component" / "source"


@pytest.fixture(scope="module")
def component(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Building it takes some ten seconds of a processor's time."""
    made = tmp_path_factory.mktemp("component") / "app.wasm"
    builder = Path(sys.executable).with_name("componentize-py")
    world = ["-d", str(SOURCE / "function.wit"), "-w", "function"]
    command = [str(builder), *world, "componentize", "-p", str(SOURCE), "app", "-o", str(made)]
    subprocess.run(command, check=True, capture_output=True, cwd=made.parent)
    return made.read_bytes()


def test_a_python_component_answers_logs_and_refuses(
    functions: Any, deploy: Callable[..., str], component: bytes
) -> None:
    name = deploy(
        Runtime="wasm",
        Handler="app.wasm",
        Code={"ZipFile": zipped({"app.wasm": component})},
        MemorySize=256,
        Environment={"Variables": {"MOST": "1"}},
    )
    reply = functions.invoke(FunctionName=name, Payload=json.dumps({"text": "ä b ä"}), LogType="Tail")
    assert json.loads(reply["Payload"].read()) == {"words": 3, "most": [["ä", 2]]}
    assert "counted 3 words" in base64.b64decode(reply["LogResult"]).decode()
    reply = functions.invoke(FunctionName=name, Payload=b"{}")
    assert reply["FunctionError"] == "Unhandled"
    error = json.loads(reply["Payload"].read())
    assert (error["errorType"], error["errorMessage"]) == ("Error", "the event has no text")
    reply = functions.invoke(FunctionName=name, Payload=b"[]")
    assert json.loads(reply["Payload"].read())["errorType"] == "Runtime.Trap"  # an exception nobody has caught
