"""Layers of others that templates name, and what stands in for them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mayfly.cli.keeping import Kept
from mayfly.cli.public_layers import PublicLayers
from tests.cli.packages import wheel
from tests.conftest import PlatformProcess

ARN = "arn:aws:lambda:${AWS::Region}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:3"


def replaced(tmp_path: Path, body: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    said: list[str] = []
    made = PublicLayers(Kept(tmp_path), lambda name, what: said.append(f"{name}: {what}"))
    return made.replaced(body), said


def function(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Serverless::Function", "Properties": {"Runtime": "python3.12", **properties}}


def test_a_known_layer_becomes_one_of_the_stack_that_all_of_its_functions_share(tmp_path: Path) -> None:
    layers = [{"Fn::Sub": ARN}, {"Ref": "Own"}]
    body = {"Resources": {"A": function(Layers=layers), "B": function(Layers=layers)}}
    made, said = replaced(tmp_path, body)
    name = "AWSLambdaPowertoolsPythonV3python312x8664Forpython312"
    assert [made["Resources"][one]["Properties"]["Layers"] for one in "AB"] == [[{"Ref": name}, {"Ref": "Own"}]] * 2
    layer = made["Resources"][name]
    assert (layer["Type"], layer["Metadata"]) == ("AWS::Lambda::LayerVersion", {"BuildMethod": "python3.12"})
    requirements = Path(layer["Properties"]["Content"]) / "requirements.txt"
    assert requirements.read_text() == "aws-lambda-powertools[all]>=3,<4\n"
    assert len(said) == 2


def test_layers_of_globals_are_for_the_runtime_that_they_name(tmp_path: Path) -> None:
    plain = ARN.replace("${AWS::Region}", "eu-west-1").replace("V3-python312-x86_64", "V2")
    body = {"Globals": {"Function": {"Runtime": "python3.11", "Layers": [plain]}}, "Resources": {"A": function()}}
    made, _ = replaced(tmp_path, body)
    (layer,) = made["Globals"]["Function"]["Layers"]
    assert made["Resources"][layer["Ref"]]["Properties"]["CompatibleRuntimes"] == ["python3.11"]
    assert set(made["Resources"]) == {"A", layer["Ref"]}


def test_what_nobody_knows_stays(tmp_path: Path) -> None:
    others = [
        ARN.replace("017000801446", "123456789012"),
        ARN.replace("Powertools", "Sharptools"),
        {"Fn::ImportValue": "layer"},
    ]
    body = {
        "Resources": {
            "A": function(Layers=others),
            "B": function(Layers=[ARN], Runtime="nodejs22.x"),
            "C": function(Layers={"Ref": "Names"}),
            "D": {"Type": "AWS::SQS::Queue"},
        }
    }
    assert replaced(tmp_path, body) == (body, [])


def test_a_template_that_names_powertools_layer_is_deployed_as_it_is(platform: PlatformProcess, tmp_path: Path) -> None:
    wheel(
        tmp_path / "wheels", "aws_lambda_powertools", "3.999.0", {"aws_lambda_powertools/__init__.py": "WORD = 'v3'\n"}
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text(
        "import aws_lambda_powertools as found\ndef handler(event, context):\n    return [found.WORD, found.__file__]\n"
    )
    runtime = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    properties = {"Runtime": runtime, "Handler": "app.handler", "CodeUri": "src", "Layers": [{"Fn::Sub": ARN}]}
    template = tmp_path / "template.json"
    resources = {"Caller": {"Type": "AWS::Serverless::Function", "Properties": properties}}
    template.write_text(json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}))
    run = [sys.executable, "-m", "mayfly"]
    found = {"UV_FIND_LINKS": str(tmp_path / "wheels"), "UV_NO_INDEX": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [*run, "deploy", str(template), "--stack-name", "public-layer", "--data", str(platform.data)],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **found},
    )
    assert "stack public-layer is deployed" in done.stderr, done.stderr
    stacks = platform.client("cloudformation")
    name = stacks.describe_stack_resource(StackName="public-layer", LogicalResourceId="Caller")
    reply = platform.client("lambda").invoke(FunctionName=name["StackResourceDetail"]["PhysicalResourceId"])
    assert json.load(reply["Payload"]) == ["v3", "/opt/python/aws_lambda_powertools/__init__.py"]
    gone = [*run, "destroy", "public-layer", "--yes", "--data", str(platform.data)]
    assert subprocess.run(gone, capture_output=True, timeout=100).returncode == 0
