"""WebAssembly functions, with boto3 against a running platform."""

import base64
import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sandbox.wasm import modules
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures

URL_TO_ANYONE = {"Principal": "*", "FunctionUrlAuthType": "NONE", "Action": "lambda:InvokeFunctionUrl"}


def package(code: str | bytes, name: str = "app.wasm") -> dict[str, bytes]:
    return {"ZipFile": zipped({name: modules.wasm(code) if isinstance(code, str) else code})}


@pytest.fixture
def deploy_wasm(deploy: Deploy) -> Callable[..., str]:
    def create(code: str | bytes, **params: Any) -> str:
        return deploy(**{"Runtime": "wasm", "Handler": "app.wasm", "Code": package(code), **params})

    return create


def test_a_module_answers_calls_and_its_log_is_kept(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    name = deploy_wasm(modules.LOGGER)
    for _ in range(3):
        reply = functions.invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
        assert (reply["StatusCode"], reply["Payload"].read()) == (200, b"{}")
    shown = functions.get_function_configuration(FunctionName=name)
    assert (shown["Runtime"], shown["Handler"], shown["State"]) == ("wasm", "app.wasm", "Active")


def test_the_log_of_a_call_has_what_it_wrote_and_its_report(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    reply = functions.invoke(FunctionName=deploy_wasm(modules.LOGGER), LogType="Tail")
    log = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert [line.split(" ")[0] for line in log] == ["START", "a", "END", "REPORT"]


def test_a_trap_is_an_error_of_the_function(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    reply = functions.invoke(FunctionName=deploy_wasm(modules.TRAPS))
    assert reply["FunctionError"] == "Unhandled"
    error = json.loads(reply["Payload"].read())
    assert error["errorType"] == "Runtime.Trap"
    assert "unreachable" in error["errorMessage"]


def test_a_module_that_computes_for_ever_times_out(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    reply = functions.invoke(FunctionName=deploy_wasm(modules.SPINS, Timeout=1))
    assert "timed out after 1.00 seconds" in json.loads(reply["Payload"].read())["errorMessage"]


def test_a_url_reaches_a_cgi_program(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    name = deploy_wasm(modules.CGI)
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    functions.add_permission(FunctionName=name, StatementId="url", **URL_TO_ANYONE)
    functions.add_permission(
        FunctionName=name, StatementId="all", Principal="*", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True
    )
    with urllib.request.urlopen(urllib.request.Request(url + "path?a=b", data=b"text"), timeout=30) as response:
        assert (response.status, response.read()) == (201, b"body: text")
        assert response.headers["content-type"] == "text/plain"
        assert response.headers["set-cookie"] == "a=b"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"MZ", "its handler app.wasm is not a WebAssembly file"),
        ('(module (import "env" "now" (func)) (func (export "_start")))', "imports what is not there: env.now"),
        (
            '(module (import "wasi_snapshot_preview1" "no" (func)) (func (export "_start")))',
            "wasi_snapshot_preview1.no",
        ),
        ("(module)", "exports no _start"),
        ('(component (import "wasi:http/types@0.2.0" (instance)))', "imports what is not there: wasi:http/types@0.2.0"),
        ("(component)", "exports neither handle nor wasi:cli/run"),
        (b"\0asm\1\0\0\0\xff", "cannot be compiled"),
    ],
)
def test_what_cannot_be_run_is_refused_when_the_function_is_made(
    deploy_wasm: Callable[..., str], code: str | bytes, message: str
) -> None:
    with pytest.raises(ClientError, match="InvalidParameterValueException") as refused:
        deploy_wasm(code)
    assert message in str(refused.value)


def test_a_handler_that_is_not_in_the_package_is_refused(deploy_wasm: Callable[..., str]) -> None:
    for handler in ("other.wasm", "../app.wasm"):
        with pytest.raises(ClientError, match="its handler"):
            deploy_wasm(modules.ECHO, Handler=handler)


def test_code_and_handler_can_be_replaced_one_after_the_other(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    name = deploy_wasm(modules.COUNTER)
    functions.update_function_configuration(FunctionName=name, Handler="other.wasm")
    reply = functions.invoke(FunctionName=name)
    assert json.loads(reply["Payload"].read())["errorMessage"] == "other.wasm is not in the package"
    functions.update_function_code(FunctionName=name, **package(modules.ECHO, "other.wasm"))
    assert functions.invoke(FunctionName=name, Payload=b"[1]")["Payload"].read() == b"[1]"


def test_what_a_zip_brings_at_the_place_of_machine_code_is_not_used(
    functions: Any, deploy_wasm: Callable[..., str]
) -> None:
    files = {"app.wasm": modules.wasm(modules.COUNTER), ".mayfly-wasm/file": b"forged"}
    name = deploy_wasm(modules.COUNTER, Code={"ZipFile": zipped(files)})
    assert functions.invoke(FunctionName=name)["Payload"].read() == b"0"


def test_snap_start_is_refused(deploy_wasm: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match="wasm is not supported for SnapStart enabled functions"):
        deploy_wasm(modules.ECHO, SnapStart={"ApplyOn": "PublishedVersions"})
