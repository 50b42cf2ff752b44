"""Secrets Manager, with boto3 against a running platform."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures

ROTATE = """
import boto3

def handler(event, context):
    client = boto3.client("secretsmanager")
    secret, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    described = client.describe_secret(SecretId=secret)
    assert described["RotationEnabled"] and token in described["VersionIdsToStages"], described
    if step == "createSecret":
        try:
            client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        except client.exceptions.ResourceNotFoundException:
            value = client.get_random_password(PasswordLength=20)["RandomPassword"]
            client.put_secret_value(
                SecretId=secret, ClientRequestToken=token, SecretString="new " + value, VersionStages=["AWSPENDING"]
            )
    elif step == "finishSecret":
        stages = described["VersionIdsToStages"]
        current = next(version for version, of in stages.items() if "AWSCURRENT" in of)
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
        )
    print("STEP", step)
"""


@pytest.fixture
def secrets(client: Callable[..., Any]) -> Any:
    return client("secretsmanager")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"test/{request.node.name[:80]}-{uuid.uuid4().hex[:6]}"


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)


def test_a_secret_is_created_changed_read_by_stage_and_sealed(
    secrets: Any, name: str, platform: PlatformProcess
) -> None:
    made = secrets.create_secret(
        Name=name, SecretString="swordfish-1", Description="d", Tags=[{"Key": "a", "Value": "b"}]
    )
    assert made["ARN"].startswith(f"arn:aws:secretsmanager:{platform.region}:{platform.account}:secret:{name}-")
    assert len(made["ARN"].rpartition("-")[2]) == 6
    second = secrets.put_secret_value(SecretId=made["ARN"], SecretString="swordfish-2")
    assert second["VersionStages"] == ["AWSCURRENT"]
    found = secrets.get_secret_value(SecretId=made["ARN"].rpartition("-")[0])  # a partial ARN
    assert (found["SecretString"], found["VersionId"]) == ("swordfish-2", second["VersionId"])
    assert secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")["SecretString"] == "swordfish-1"
    assert secrets.get_secret_value(SecretId=name, VersionId=made["VersionId"])["SecretString"] == "swordfish-1"
    third = secrets.update_secret(SecretId=name, SecretBinary=b"\x00\xff", Description="e")
    assert secrets.get_secret_value(SecretId=name)["SecretBinary"] == b"\x00\xff"
    described = secrets.describe_secret(SecretId=name)
    assert described["Description"] == "e"
    assert described["Tags"] == [{"Key": "a", "Value": "b"}]
    assert described["VersionIdsToStages"] == {
        second["VersionId"]: ["AWSPREVIOUS"],
        third["VersionId"]: ["AWSCURRENT"],
    }
    assert "RotationEnabled" not in described
    versions = secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    assert [one["VersionId"] for one in versions] == [made["VersionId"], second["VersionId"], third["VersionId"]]
    assert len(secrets.list_secret_version_ids(SecretId=name)["Versions"]) == 2
    for file in platform.data.glob("mayfly.db*"):
        assert b"swordfish-" not in file.read_bytes()


def test_what_is_asked_for_and_not_there_is_said_in_awss_words(secrets: Any, name: str) -> None:
    none = "Secrets Manager can't find the specified secret"
    assert refusal(secrets.get_secret_value, SecretId=name) == ("ResourceNotFoundException", f"{none}.")
    made = secrets.create_secret(Name=name)
    assert "VersionId" not in made
    assert refusal(secrets.get_secret_value, SecretId=name)[1] == f"{none} value for staging label: AWSCURRENT"
    token = str(uuid.uuid4())
    assert (
        refusal(secrets.get_secret_value, SecretId=name, VersionId=token)[1] == f"{none} value for VersionId: {token}"
    )
    first = secrets.put_secret_value(SecretId=name, SecretString="v")["VersionId"]
    code, message = refusal(secrets.get_secret_value, SecretId=name, VersionId=first, VersionStage="OTHER")
    assert (code, message) == (
        "InvalidRequestException",
        "You provided a VersionStage that is not associated to the provided VersionId.",
    )
    assert refusal(secrets.create_secret, Name=name, SecretString="w") == (
        "ResourceExistsException",
        f"The operation failed because the secret {name} already exists.",
    )
    assert refusal(secrets.create_secret, Name="no blanks", SecretString="w")[0] == "ValidationException"
    assert refusal(secrets.put_secret_value, SecretId=name)[0] == "InvalidRequestException"
    assert refusal(secrets.update_secret, SecretId=name, KmsKeyId="alias/mine")[0] == "EncryptionFailure"
    both = {"SecretString": "a", "SecretBinary": b"b"}
    assert refusal(secrets.put_secret_value, SecretId=name, **both)[0] == "InvalidParameterException"


def test_a_token_makes_one_version_however_often_it_is_said(secrets: Any, name: str) -> None:
    token = str(uuid.uuid4())
    made = [secrets.create_secret(Name=name, SecretString="v", ClientRequestToken=token) for _ in range(2)]
    assert made[0]["ARN"] == made[1]["ARN"]
    assert made[0]["VersionId"] == made[1]["VersionId"] == token
    code, message = refusal(secrets.put_secret_value, SecretId=name, SecretString="w", ClientRequestToken=token)
    assert code == "ResourceExistsException"
    assert f"{token} because that value is already in use for a version of secret {made[0]['ARN']}" in message
    assert secrets.put_secret_value(SecretId=name, SecretString="v", ClientRequestToken=token)["VersionId"] == token
    assert len(secrets.list_secret_version_ids(SecretId=name)["Versions"]) == 1


def test_stages_move_between_versions_by_hand(secrets: Any, name: str) -> None:
    first = secrets.create_secret(Name=name, SecretString="1")["VersionId"]
    second = secrets.put_secret_value(SecretId=name, SecretString="2", VersionStages=["AWSPENDING"])["VersionId"]
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "1"
    code, message = refusal(
        secrets.update_secret_version_stage, SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=second
    )
    assert code == "InvalidParameterException"
    assert f"currently attached to version {first}" in message
    secrets.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=second, RemoveFromVersionId=first
    )
    stages = secrets.describe_secret(SecretId=name)["VersionIdsToStages"]
    assert stages == {first: ["AWSPREVIOUS"], second: ["AWSCURRENT", "AWSPENDING"]}
    secrets.update_secret_version_stage(SecretId=name, VersionStage="AWSPENDING", RemoveFromVersionId=second)
    removal = {"SecretId": name, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": second}
    assert refusal(secrets.update_secret_version_stage, **removal)[0] == "InvalidParameterException"


def test_a_deleted_secret_can_be_restored_and_a_forced_one_is_gone(secrets: Any, name: str) -> None:
    secrets.create_secret(Name=name, SecretString="v")
    window = {"SecretId": name, "RecoveryWindowInDays": 7}
    assert refusal(secrets.delete_secret, **window, ForceDeleteWithoutRecovery=True)[0] == "InvalidParameterException"
    assert refusal(secrets.delete_secret, SecretId=name, RecoveryWindowInDays=6)[0] == "InvalidParameterException"
    gone = secrets.delete_secret(**window)["DeletionDate"]
    assert 6 < (gone.timestamp() - time.time()) / 86_400 < 8
    assert refusal(secrets.get_secret_value, SecretId=name)[0] == "InvalidRequestException"
    code, message = refusal(secrets.create_secret, Name=name, SecretString="w")
    assert (code, "already scheduled for deletion" in message) == ("InvalidRequestException", True)
    assert "DeletedDate" in secrets.describe_secret(SecretId=name)
    filters = [{"Key": "name", "Values": [name]}]
    assert secrets.list_secrets(Filters=filters)["SecretList"] == []
    assert len(secrets.list_secrets(Filters=filters, IncludePlannedDeletion=True)["SecretList"]) == 1
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "v"
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    assert refusal(secrets.describe_secret, SecretId=name)[0] == "ResourceNotFoundException"
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)  # again is no error


def test_secrets_are_listed_in_pages_and_read_in_batches(secrets: Any, name: str) -> None:
    names = [f"{name}/{number}" for number in range(3)]
    for one in names:
        secrets.create_secret(Name=one, SecretString=one)
    filters = [{"Key": "name", "Values": [f"{name}/"]}]
    pages = secrets.get_paginator("list_secrets").paginate(Filters=filters, PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["SecretList"]] for page in pages] == [names[:2], names[2:]]
    batch = secrets.batch_get_secret_value(SecretIdList=[names[0], "none"])
    assert [one["SecretString"] for one in batch["SecretValues"]] == names[:1]
    assert [(one["SecretId"], one["ErrorCode"]) for one in batch["Errors"]] == [("none", "ResourceNotFoundException")]
    found = secrets.batch_get_secret_value(Filters=filters)["SecretValues"]
    assert [one["Name"] for one in found] == names
    assert refusal(secrets.batch_get_secret_value)[0] == "InvalidParameterException"


def test_a_deny_in_a_secrets_policy_keeps_its_principal_out_and_never_locks_the_policy(
    secrets: Any, name: str, platform: PlatformProcess
) -> None:
    arn = secrets.create_secret(Name=name, SecretString="v")["ARN"]
    root = f"arn:aws:iam::{platform.account}:root"
    statement = {"Effect": "Deny", "Principal": {"AWS": root}, "Action": "secretsmanager:Get*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert secrets.put_resource_policy(SecretId=name, ResourcePolicy=policy)["ARN"] == arn
    assert json.loads(secrets.get_resource_policy(SecretId=name)["ResourcePolicy"]) == json.loads(policy)
    code, message = refusal(secrets.get_secret_value, SecretId=name)
    assert code == "AccessDeniedException"
    assert "explicit deny in a resource-based policy" in message
    secrets.delete_resource_policy(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "v"
    public = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]})
    refused = refusal(secrets.put_resource_policy, SecretId=name, ResourcePolicy=public, BlockPublicPolicy=True)
    assert refused[0] == "PublicPolicyException"
    assert refusal(secrets.put_resource_policy, SecretId=name, ResourcePolicy="{}")[0] == (
        "MalformedPolicyDocumentException"
    )
    assert not secrets.validate_resource_policy(ResourcePolicy=public)["PolicyValidationPassed"]


def test_a_function_rotates_a_secret_in_four_steps(secrets: Any, functions: Any, deploy: Deploy, name: str) -> None:
    function = deploy(Code={"ZipFile": zipped({"app.py": ROTATE})}, Timeout=30)
    arn = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    first = secrets.create_secret(Name=name, SecretString="old")["VersionId"]
    assert refusal(secrets.rotate_secret, SecretId=name)[1] == (
        "No Lambda rotation function ARN is associated with this secret."
    )
    rotation = {"SecretId": name, "RotationLambdaARN": arn, "RotationRules": {"AutomaticallyAfterDays": 30}}
    assert refusal(secrets.rotate_secret, **rotation)[0] == "AccessDeniedException"
    functions.add_permission(
        FunctionName=function, StatementId="s", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )
    token = secrets.rotate_secret(**rotation)["VersionId"]
    until(lambda: "LastRotatedDate" in secrets.describe_secret(SecretId=name))
    described = secrets.describe_secret(SecretId=name)
    assert described["RotationEnabled"]
    assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}
    assert 29 < (described["NextRotationDate"].timestamp() - time.time()) / 86_400 < 31
    assert described["VersionIdsToStages"] == {first: ["AWSPREVIOUS"], token: ["AWSCURRENT"]}
    assert secrets.get_secret_value(SecretId=name)["SecretString"].startswith("new ")
    secrets.cancel_rotate_secret(SecretId=name)
    assert secrets.describe_secret(SecretId=name)["RotationEnabled"] is False


def test_a_rotation_that_is_only_set_tests_the_function_and_leaves_no_version(
    secrets: Any, functions: Any, deploy: Deploy, name: str
) -> None:
    function = deploy(Code={"ZipFile": zipped({"app.py": ROTATE})}, Timeout=30)
    arn = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
    functions.add_permission(
        FunctionName=function, StatementId="s", Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com"
    )
    first = secrets.create_secret(Name=name, SecretString="old")["VersionId"]
    set_ = secrets.rotate_secret(
        SecretId=name,
        RotationLambdaARN=arn,
        RotationRules={"ScheduleExpression": "rate(10 days)", "Duration": "2h"},
        RotateImmediately=False,
    )
    assert "VersionId" not in set_
    until(lambda: secrets.describe_secret(SecretId=name)["VersionIdsToStages"] == {first: ["AWSCURRENT"]})
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "old"
    assert "NextRotationDate" in secrets.describe_secret(SecretId=name)


def test_there_are_no_regions_to_replicate_to(secrets: Any, name: str) -> None:
    regions = [{"Region": "eu-west-1"}]
    assert refusal(secrets.create_secret, Name=name, AddReplicaRegions=regions)[0] == "InvalidParameterException"
    secrets.create_secret(Name=name)
    assert refusal(secrets.replicate_secret_to_regions, SecretId=name, AddReplicaRegions=regions)[0] == "NotImplemented"
