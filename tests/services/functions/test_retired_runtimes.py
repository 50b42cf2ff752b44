"""Functions of runtimes that AWS accepts no longer: refused with what there is instead, or run where that is wished."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.stage import zipped

CODE = "import sys\ndef handler(event, context): return list(sys.version_info[:2])"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


def create(platform: PlatformProcess, runtime: str, architecture: str = "x86_64") -> dict[str, Any]:
    iam = platform.client("iam")
    try:
        role = iam.get_role(RoleName="retired")["Role"]["Arn"]
    except iam.exceptions.NoSuchEntityException:
        role = iam.create_role(RoleName="retired", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made: dict[str, Any] = platform.client("lambda").create_function(
        FunctionName=f"retired-{runtime.replace('.', '-')}",
        Runtime=runtime,
        Handler="index.handler",
        Role=role,
        Architectures=[architecture],
        Code={"ZipFile": zipped({"index.py": CODE})},
    )
    return made


def test_a_retired_runtime_is_refused_with_what_would_run_its_functions(platform: PlatformProcess) -> None:
    with pytest.raises(ClientError, match=r"no longer supported.*on python 3\..* started with --retired-runtimes"):
        create(platform, "python3.7")


def test_where_it_is_wished_the_nearest_version_runs_functions_of_retired_runtimes(tmp_path: Path) -> None:
    server, lenient = start_platform(tmp_path / "data", "--retired-runtimes")
    try:
        made = create(lenient, "python3.7", "arm64")
        assert made["Runtime"] == "python3.7"
        functions = lenient.client("lambda")
        functions.get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"], WaiterConfig={"Delay": 1})
        reply = functions.invoke(FunctionName=made["FunctionName"])
        assert json.load(reply["Payload"])[0] == 3
        with pytest.raises(ClientError, match=r"python2\.7 is no longer supported .*is not a managed runtime"):
            create(lenient, "python2.7")
    finally:
        server.terminate()
        assert server.wait(60) == 0
