"""Layers of templates: packaged from beside them, deployed as SAM has it, used by the template's functions."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.test_commands import mayfly
from tests.conftest import PlatformProcess

RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: sam-shared
      ContentUri: layer/
      CompatibleRuntimes: [{RUNTIME}]
  Plain:
    Type: AWS::Lambda::LayerVersion
    Properties: {{LayerName: plain-shared, Content: plain/}}
  Open:
    Type: AWS::Lambda::LayerVersionPermission
    Properties: {{LayerVersionArn: !Ref Plain, Action: lambda:GetLayerVersion, Principal: "*"}}
  Uses:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src/
      Handler: app.handler
      Runtime: {RUNTIME}
      Layers: [!Ref Shared, !Ref Plain]
Outputs:
  Function: {{Value: !Ref Uses}}
"""


def test_a_template_deploys_its_layers_and_changes_of_them_reach_its_functions(
    platform: PlatformProcess, client: Callable[..., Any], tmp_path: Path
) -> None:
    functions = client("lambda", read_timeout=60)

    def deployed(text: str) -> tuple[str, Any]:
        (tmp_path / "layer/python/shared.py").write_text(f"WHO = {text!r}\n")
        done = mayfly("deploy", str(tmp_path / "t.yaml"), "-n", "sam-layers", "--json", data=platform.data)
        assert done.returncode == 0, done.stderr
        name = json.loads(done.stdout)["Outputs"]["Function"]
        return name, json.load(functions.invoke(FunctionName=name)["Payload"])

    for path in ("layer/python", "plain/python", "src"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    (tmp_path / "plain/python/plain.py").write_text("WHO = 'plain'\n")
    (tmp_path / "src/app.py").write_text("import plain, shared\ndef handler(e, c): return [shared.WHO, plain.WHO]\n")
    name, said = deployed("first")
    assert said == ["first", "plain"]
    assert [
        one["Arn"].split(":", 6)[6] for one in functions.get_function_configuration(FunctionName=name)["Layers"]
    ] == [
        "sam-shared:1",
        "plain-shared:1",
    ]
    assert '"Sid"' in functions.get_layer_version_policy(LayerName="plain-shared", VersionNumber=1)["Policy"]
    assert deployed("second")[1] == ["second", "plain"]
    # SAM keeps versions that it replaced; CloudFormation does not.
    kept = functions.list_layer_versions(LayerName="sam-shared")["LayerVersions"]
    assert [one["Version"] for one in kept] == [2, 1]
    assert mayfly("destroy", "sam-layers", "--yes", data=platform.data).returncode == 0
    assert functions.list_layer_versions(LayerName="plain-shared")["LayerVersions"] == []


def test_a_function_of_a_template_is_shut_by_a_code_signing_configuration(
    platform: PlatformProcess, client: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text("def handler(e, c): return 1\n")
    profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/abcdefghij"

    def deployed(policy: str) -> Any:
        (tmp_path / "t.yaml").write_text(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n"
            "  Signed: {Type: AWS::Lambda::CodeSigningConfig, Properties: {"
            f"AllowedPublishers: {{SigningProfileVersionArns: ['{profile}']}},"
            f" CodeSigningPolicies: {{UntrustedArtifactOnDeployment: {policy}}}}}}}\n"
            "  Shut: {Type: AWS::Serverless::Function, Properties: {CodeUri: src/, Handler: app.handler,"
            f" Runtime: {RUNTIME}, CodeSigningConfigArn: !Ref Signed}}}}\n"
        )
        return mayfly("deploy", str(tmp_path / "t.yaml"), "-n", "signed", data=platform.data)

    refused = deployed("Enforce")
    assert (refused.returncode, "Lambda cannot deploy the function" in refused.stderr) == (1, True), refused.stderr
    assert deployed("Warn").returncode == 0
    assert mayfly("destroy", "signed", "--yes", data=platform.data).returncode == 0
    assert client("lambda").list_code_signing_configs()["CodeSigningConfigs"] == []
