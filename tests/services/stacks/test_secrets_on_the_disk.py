"""The whole data directory of a server that makes, changes, takes back and deletes stacks with secrets, and is killed
meanwhile: no file of it holds one of them in clear."""

import json
from pathlib import Path
from typing import Any

import pytest

from .test_sudden_death import TRUST, Mortal

FIRST, SECOND, LOOKED_AT, WRONG = (f"{word}-horse-battery-staple" for word in ("correct", "better", "other", "wrong"))
MADE_BY_FUNCTION = "generated-by-a-function"
CODE = f"""
import cfnresponse
def handler(event, context):
    data = {{"Token": "-".join({MADE_BY_FUNCTION.split("-")!r})}}
    cfnresponse.send(event, context, cfnresponse.SUCCESS, data, "thing", noEcho=True)
"""
SECRET_OF_KEY = {"Fn::GetAtt": ["Key", "SecretAccessKey"]}
TEMPLATE = {
    "Parameters": {
        "Password": {"Type": "String", "NoEcho": True},
        "Breaks": {"Type": "String", "Default": "no"},
    },
    "Conditions": {"Broken": {"Fn::Equals": [{"Ref": "Breaks"}, "yes"]}},
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Worker": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": CODE},
                "Environment": {
                    "Variables": {
                        "PASSWORD": {"Ref": "Password"},
                        "OTHER": {"Fn::Sub": "{{resolve:secretsmanager:${Generated}:SecretString:password}}"},
                    }
                },
            },
        },
        "User": {"Type": "AWS::IAM::User"},
        "Key": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
        "Kept": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"SecretString": {"Fn::Sub": ["${Password}/${key}", {"key": SECRET_OF_KEY}]}},
        },
        "Generated": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "GenerateSecretString": {
                    "SecretStringTemplate": '{"user": "me"}',
                    "GenerateStringKey": "password",
                    "ExcludePunctuation": True,
                }
            },
        },
        "Token": {"Type": "Custom::Token", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Worker", "Arn"]}}},
        "TokenKept": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {"SecretString": {"Fn::GetAtt": ["Token", "Token"]}},
        },
        "Never": {
            "Type": "AWS::Logs::LogGroup",
            "Condition": "Broken",
            "Properties": {"LogGroupName": "/aws/taken", "Tags": [{"Key": "of", "Value": {"Ref": "TokenKept"}}]},
        },
    },
    "Outputs": {"Key": {"Value": SECRET_OF_KEY}, "Password": {"Value": {"Ref": "Password"}}},
}


def parameters(password: str, breaks: str = "no") -> list[dict[str, str]]:
    given = {"Password": password, "Breaks": breaks}
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]


def assert_none_of(folder: Path, secrets: set[str]) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            found = [secret for secret in secrets if secret.encode() in content]
            assert not found, f"{path} holds {found}"


@pytest.fixture
def mortal(tmp_path: Path) -> Any:
    made = Mortal(tmp_path / "data")
    yield made
    made.end()


@pytest.mark.timeout(280)
def test_no_file_of_the_data_directory_holds_a_secret_of_a_stack(mortal: Mortal, tmp_path: Path) -> None:
    data = tmp_path / "data"
    secrets = {FIRST, SECOND, LOOKED_AT, WRONG, MADE_BY_FUNCTION}
    common = {"StackName": "secretive", "Capabilities": ["CAPABILITY_IAM"], "TemplateBody": json.dumps(TEMPLATE)}
    mortal.platform.client("logs").create_log_group(logGroupName="/aws/taken")

    mortal.platform.client("cloudformation").create_stack(**common, Parameters=parameters(FIRST))
    mortal.kill_within(1.5)
    stack = mortal.settled("secretive")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack.get("StackStatusReason")
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}
    assert outputs["Password"] == FIRST
    secrets |= {outputs["Key"], generated(mortal)}
    assert_none_of(data, secrets)

    cloudformation = mortal.platform.client("cloudformation")
    cloudformation.create_change_set(**common, ChangeSetName="looked-at", Parameters=parameters(LOOKED_AT))
    cloudformation.create_change_set(**common, ChangeSetName="wrong", Parameters=parameters(WRONG, "yes"))
    cloudformation.execute_change_set(StackName="secretive", ChangeSetName="wrong")
    mortal.kill()
    assert_none_of(data, secrets)
    mortal.start()
    assert mortal.settled("secretive")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert_none_of(data, secrets)

    mortal.platform.client("cloudformation").update_stack(**common, Parameters=parameters(SECOND))
    assert mortal.settled("secretive")["StackStatus"] == "UPDATE_COMPLETE"
    kept = {entry["SecretString"] for entry in values(mortal)}
    assert f"{SECOND}/{outputs['Key']}" in kept
    assert MADE_BY_FUNCTION in kept
    assert_none_of(data, secrets)

    mortal.platform.client("cloudformation").delete_stack(StackName="secretive")
    mortal.kill()
    assert_none_of(data, secrets)
    mortal.start()
    assert mortal.settled("secretive") == {}
    assert_none_of(data, secrets)


def values(mortal: Mortal) -> list[dict[str, Any]]:
    client = mortal.platform.client("secretsmanager")
    return [client.get_secret_value(SecretId=item["ARN"]) for item in client.list_secrets()["SecretList"]]


def generated(mortal: Mortal) -> str:
    (found,) = [item for item in values(mortal) if item["SecretString"].startswith("{")]
    return str(json.loads(found["SecretString"])["password"])
