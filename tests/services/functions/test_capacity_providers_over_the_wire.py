"""Capacity providers, with boto3 against a running platform."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures

NETWORK = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
SLOW = "import time\ndef handler(event, context):\n    time.sleep(event['s'])\n    return event\n"
Make = Callable[..., Any]


@pytest.fixture
def make(functions: Any, role: str) -> Iterator[Make]:
    names: list[str] = []

    def create(**params: Any) -> Any:
        name = f"p-{uuid4().hex[:8]}"
        allowed = {"CapacityProviderOperatorRoleArn": role}
        made = functions.create_capacity_provider(
            CapacityProviderName=name, VpcConfig=NETWORK, PermissionsConfig=allowed, **params
        )
        names.append(name)
        return made["CapacityProvider"]

    yield create
    for name in names:
        functions.delete_capacity_provider(CapacityProviderName=name)


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def on(arn: str, **more: Any) -> dict[str, Any]:
    return {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn, **more}}


def test_a_provider_is_created_found_listed_changed_tagged_and_deleted(functions: Any, role: str, make: Make) -> None:
    made = make(CapacityProviderScalingConfig={"MaxVCpuCount": 8}, Tags={"team": "a"})
    arn = made["CapacityProviderArn"]
    name = arn.rpartition(":")[2]
    assert (made["State"], made["VpcConfig"]) == ("Active", NETWORK)
    assert made["CapacityProviderScalingConfig"] == {"MaxVCpuCount": 8, "ScalingMode": "Auto"}
    assert functions.get_capacity_provider(CapacityProviderName=arn)["CapacityProvider"] == made
    assert refusal(
        functions.create_capacity_provider,
        CapacityProviderName=name,
        VpcConfig=NETWORK,
        PermissionsConfig={"CapacityProviderOperatorRoleArn": role},
    ) == ("ResourceConflictException", f"Capacity provider already exist: {arn}")

    changed = functions.update_capacity_provider(
        CapacityProviderName=name, CapacityProviderScalingConfig={"MaxVCpuCount": 2}
    )["CapacityProvider"]
    assert changed["CapacityProviderScalingConfig"]["MaxVCpuCount"] == 2
    functions.tag_resource(Resource=arn, Tags={"more": "b"})
    assert functions.list_tags(Resource=arn)["Tags"] == {"team": "a", "more": "b"}
    pages = functions.get_paginator("list_capacity_providers").paginate(PaginationConfig={"PageSize": 1})
    arns = [one["CapacityProviderArn"] for page in pages for one in page["CapacityProviders"]]
    assert arn in arns
    machine = arn.rpartition(":")[0] + ":mayfly"
    assert machine in arns
    assert refusal(functions.delete_capacity_provider, CapacityProviderName="mayfly")[0] == (
        "InvalidParameterValueException"
    )
    assert refusal(functions.get_capacity_provider, CapacityProviderName="absent")[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "asked",
    [
        {"InstanceRequirements": {"AllowedInstanceTypes": ["m5.large"]}},
        {"CapacityProviderScalingConfig": {"ScalingMode": "Manual"}},
        {"KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"},
        {"PropagateTags": {"Mode": "Explicit", "ExplicitTags": {"a": "b"}}},
    ],
)
def test_what_is_about_other_machines_is_refused(make: Make, asked: dict[str, Any]) -> None:
    assert refusal(make, **asked)[0] == "InvalidParameterValueException"


def test_its_functions_are_listed_bounded_together_and_keep_it(
    functions: Any, deploy: Deploy, make: Make, client: Callable[..., Any]
) -> None:
    once = client("lambda", retries={"total_max_attempts": 1})
    made = make(CapacityProviderScalingConfig={"MaxVCpuCount": 2})
    arn = made["CapacityProviderArn"]
    names = [
        deploy(
            Code={"ZipFile": zipped({"app.py": SLOW})},
            CapacityProviderConfig=on(arn, PerExecutionEnvironmentMaxConcurrency=1),
            Publish=True,
        )
        for _ in range(3)
    ]

    def call(name: str) -> Any:
        try:
            return json.loads(once.invoke(FunctionName=name, Payload=b'{"s": 1}')["Payload"].read())
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]

    with ThreadPoolExecutor(3) as pool:
        came = list(pool.map(call, names))
    assert came.count({"s": 1}) == 2
    (code, message) = next(one for one in came if one != {"s": 1})
    assert code == "TooManyRequestsException"
    assert "the limit of 2 processors for all instances of its capacity provider" in message

    pages = functions.get_paginator("list_function_versions_by_capacity_provider").paginate(
        CapacityProviderName=arn, PaginationConfig={"PageSize": 2}
    )
    arns = [one["FunctionArn"] for page in pages for one in page["FunctionVersions"]]
    assert sorted(one.split(":", 6)[6] for one in arns) == sorted(
        f"{name}:{label}" for name in names for label in ("$LATEST", "1")
    )
    assert refusal(functions.delete_capacity_provider, CapacityProviderName=arn)[0] == "ResourceConflictException"
    for name in names:
        functions.update_function_configuration(
            FunctionName=name, CapacityProviderConfig=on(arn.rpartition(":")[0] + ":mayfly")
        )
        functions.delete_function(FunctionName=name, Qualifier="1")


def test_a_function_names_a_provider_that_is_there(deploy: Deploy) -> None:
    absent = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:absent"
    assert refusal(deploy, CapacityProviderConfig=on(absent))[0] == "ResourceNotFoundException"


TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Part:
    Type: AWS::Lambda::CapacityProvider
    Properties:
      CapacityProviderName: NAME
      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}
      PermissionsConfig: {CapacityProviderOperatorRoleArn: !GetAtt Role.Arn}
      CapacityProviderScalingConfig: {MaxVCpuCount: MOST}
      Tags: [{Key: a, Value: MOST}]
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      Runtime: python3.11
      Handler: index.handler
      Code: {ZipFile: "def handler(event, context): return event"}
      CapacityProviderConfig:
        LambdaManagedInstancesCapacityProviderConfig: {CapacityProviderArn: !GetAtt Part.Arn}
"""


def test_a_template_makes_changes_and_deletes_one_with_its_functions(
    functions: Any, client: Callable[..., Any]
) -> None:
    stacks, name = client("cloudformation"), f"part-{uuid4().hex[:8]}"

    def template(most: str) -> dict[str, Any]:
        body = TEMPLATE.replace("NAME", name).replace("MOST", most)
        return {"StackName": name, "TemplateBody": body, "Capabilities": ["CAPABILITY_IAM"]}

    def provider() -> Any:
        return functions.get_capacity_provider(CapacityProviderName=name)["CapacityProvider"]

    quickly = {"Delay": 1, "MaxAttempts": 60}
    stacks.create_stack(**template("4"))
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=quickly)
    assert provider()["CapacityProviderScalingConfig"]["MaxVCpuCount"] == 4
    found = functions.list_function_versions_by_capacity_provider(CapacityProviderName=name)["FunctionVersions"]
    assert len(found) == 1
    stacks.update_stack(**template("6"))
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=quickly)
    assert provider()["CapacityProviderScalingConfig"]["MaxVCpuCount"] == 6
    assert functions.list_tags(Resource=provider()["CapacityProviderArn"])["Tags"]["a"] == "6"
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=quickly)
    assert refusal(functions.get_capacity_provider, CapacityProviderName=name)[0] == "ResourceNotFoundException"
