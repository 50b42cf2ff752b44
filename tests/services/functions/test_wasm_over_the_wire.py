"""WebAssembly functions, with boto3 against a running platform."""

import base64
import json
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mayfly.cli.connection import connect
from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess
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


def test_the_level_of_a_function_is_shown_with_all_that_is_around_it(
    functions: Any, deploy_wasm: Callable[..., str], platform: PlatformProcess
) -> None:
    name = deploy_wasm(modules.ECHO, MemorySize=160)
    assert functions.invoke(FunctionName=name, Payload=b"[1]")["Payload"].read() == b"[1]"
    page = connect(platform.data).get(f"/_mayfly/functions/{name}")
    layers = [layer["layer"] for layer in page["isolation"]["layers"]]
    assert (page["isolation"]["level"], layers[0]) == ("wasm", "WebAssembly")
    assert len(layers) > 1
    assert page["refused_calls"] == []  # the engine asks the kernel for nothing that is not allowed
    assert "up to 128 MB of memory" in page["isolation"]["layers"][0]["detail"]


def test_calls_of_one_instance_run_side_by_side_and_one_that_hangs_times_out_alone(
    functions: Any, deploy_wasm: Callable[..., str], platform: PlatformProcess
) -> None:
    provider = f"arn:aws:lambda:us-east-1:{platform.account}:capacity-provider:mayfly"
    managed = {"CapacityProviderArn": provider, "PerExecutionEnvironmentMaxConcurrency": 4}
    either = modules.command(
        "(local.set $n (call $get))"
        "(if (i32.eq (i32.load8_u (i32.const 65536)) (i32.const 49)) (then (loop $on (br $on))))"
        "(call $put (i32.const 1) (i32.const 65536) (local.get $n))"
    )
    name = deploy_wasm(
        either,
        Timeout=5,
        MemorySize=512,
        CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": managed},
    )

    def answer(event: bytes) -> bytes:
        payload: bytes = functions.invoke(FunctionName=name, Payload=event)["Payload"].read()
        return payload

    with ThreadPoolExecutor(4) as pool:
        hanging = pool.submit(answer, b"1")
        assert list(pool.map(answer, [b"2", b"3"])) == [b"2", b"3"]
        assert b"timed out after 5.00 seconds" in hanging.result()
    assert answer(b"4") == b"4"


def test_a_published_version_keeps_its_module(functions: Any, deploy_wasm: Callable[..., str]) -> None:
    name = deploy_wasm(modules.COUNTER, Publish=True)
    functions.update_function_code(FunctionName=name, **package(modules.ECHO))
    assert functions.invoke(FunctionName=name, Qualifier="1", Payload=b"[7]")["Payload"].read() == b"0"
    assert functions.invoke(FunctionName=name, Payload=b"[7]")["Payload"].read() == b"[7]"


def test_the_command_line_deploys_a_module(platform: PlatformProcess, tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "app.wasm").write_bytes(modules.wasm(modules.ECHO))
    example = Path(__file__).parents[3] / "examples" / "component" / "template.yaml"
    (tmp_path / "template.yaml").write_text(example.read_text())
    done = mayfly("deploy", str(tmp_path / "template.yaml"), "-n", "wasm", "--json", data=platform.data)
    assert done.returncode == 0, done.stderr
    name = json.loads(done.stdout)["Outputs"]["Count"]
    done = mayfly("invoke", name, "--payload", '{"text": 1}', data=platform.data)
    assert json.loads(done.stdout) == {"text": 1}
    assert mayfly("destroy", "wasm", "--yes", data=platform.data).returncode == 0
