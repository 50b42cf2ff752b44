"""Functions that bring their own runtime, as boto3 sees them."""

import base64
import io
import stat
import zipfile
from typing import Any

import pytest

from tests.engine.programs import ASK, ECHO
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, invoke, role

__all__ = ["deploy", "functions", "role"]


def package(script: str, mode: int = 0o755, name: str = "bootstrap") -> bytes:
    """A zip with one program in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFREG | mode) << 16
        archive.writestr(info, script)
    return buffer.getvalue()


@pytest.mark.parametrize("runtime", ["provided.al2023", "provided.al2"])
def test_a_bootstrap_in_bash_is_a_function(functions: Any, deploy: Deploy, runtime: str) -> None:
    name = deploy(Runtime=runtime, Handler="any.thing", Code={"ZipFile": package(ECHO)})

    first = invoke(functions, name, {"a": 1}, LogType="Tail")
    second = invoke(functions, name, 2)

    assert (first["Payload"], second["Payload"]) == ({"you said": {"a": 1}}, {"you said": 2})
    log = base64.b64decode(first["LogResult"]).decode()
    assert [line.split()[0] for line in log.splitlines()] == ["booting", "START", "got", "END", "REPORT"]


def test_a_program_has_the_variables_of_a_runtime(functions: Any, deploy: Deploy) -> None:
    script = ASK + (
        "next\n"
        'vars="$_HANDLER $LAMBDA_TASK_ROOT $AWS_LAMBDA_RUNTIME_API $AWS_REGION $GIVEN"\n'
        'ask POST $runtime/invocation/$id/response "\\"$vars\\""\nnext\n'
    )
    environment = {"Variables": {"GIVEN": "given"}}
    name = deploy(Runtime="provided.al2023", Handler="h", Code={"ZipFile": package(script)}, Environment=environment)

    handler, _, api, region, given = invoke(functions, name, None)["Payload"].split()

    assert (handler, region, given) == ("h", "us-east-1", "given")
    assert api.startswith("127.0.0.1:")


@pytest.mark.parametrize(
    ("code", "error_type", "words"),
    [
        (package("x", name="other"), "Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): ["),
        (package("#!/bin/sh\n", 0o644), "Runtime.InvalidEntrypoint", "permission denied"),
        (package("#!/bin/sh\nexit 5\n"), "Runtime.ExitError", "Runtime exited with error: exit status 5"),
    ],
)
def test_what_is_wrong_with_a_bootstrap_is_said_in_the_words_of_aws(
    functions: Any, deploy: Deploy, code: bytes, error_type: str, words: str
) -> None:
    name = deploy(Runtime="provided.al2023", Code={"ZipFile": code})

    reply = invoke(functions, name, None, LogType="Tail")

    assert (reply["FunctionError"], reply["Payload"]["errorType"]) == ("Unhandled", error_type)
    assert reply["Payload"]["errorMessage"].startswith("RequestId: ")
    assert words in reply["Payload"]["errorMessage"]
    assert words in base64.b64decode(reply["LogResult"]).decode()
