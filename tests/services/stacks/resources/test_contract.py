"""One contract for all resource types, against the real services: every step may be repeated, as after a crash."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.stacks.resources.base import Caller, Target
from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.resources.schema import PropertyError, shape
from tests.services.functions.stage import zipped

ACCOUNT = "000000000000"
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", Principal("root", ACCOUNT, "", ""), "http://127.0.0.1:4566")
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
ALLOW = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
DENY = {"Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}]}
MACHINE = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:capacity-provider:mayfly",
        "PerExecutionEnvironmentMaxConcurrency": "16",
    }
}
NETWORK = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
SCALED = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}
TRACKED = {
    "TargetValue": "0.7",
    "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
}
NIGHT = {
    "ScheduledActionName": "night",
    "Schedule": "cron(0 20 * * ? *)",
    "StartTime": "2100-01-01T00:00:00Z",
    "ScalableTargetAction": {"MaxCapacity": "0"},
}
QUEUE_URL = f"http://127.0.0.1:4566/{ACCOUNT}/contract"
QUEUE_POLICY = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
TAG = [{"Key": "k", "Value": "v"}]
CANARY = {"Type": "TimeBasedCanary", "TimeBasedCanary": {"CanaryPercentage": "10", "CanaryInterval": "5"}}
ALARM = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "ComparisonOperator": "GreaterThanThreshold",
    "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
}
PROFILE = f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/p/abcdefghij"
LAYER = f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:contract-base"
Client = Callable[..., Any]


def published(client: Client) -> tuple[str, str]:
    """A bucket with `l.zip` in it, and the ARN of a layer's version that was made of that."""
    bucket, key = "contract-layers", "l.zip"
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_object(Bucket=bucket, Key=key, Body=zipped())
    reply = client("lambda").publish_layer_version(LayerName=LAYER, Content={"S3Bucket": bucket, "S3Key": key})
    arn: str = reply["LayerVersionArn"]
    return bucket, arn


class OverTheWire:
    """`ports.Operations` by boto3."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            client = self._client(service)
            client.meta.events.register("before-call", lambda params, **_: params["headers"].update(context.headers))
            reply: dict[str, Any] = getattr(client, xform_name(operation))(**params)
        except ClientError as error:
            raise ServiceError(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
        return reply


class Case(NamedTuple):
    type: str
    properties: dict[str, Any]
    changes: dict[str, Any]  # in place


def cases(role: str, role_arn: str, function: str, bucket: str, layer: str) -> list[Case]:
    return [
        Case(
            "AWS::S3::Bucket",
            {"Tags": TAG, "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"}},
            {"CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}, "Tags": []},
        ),
        Case(
            "AWS::Lambda::Function",
            {
                "Role": role_arn,
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Code": {"ZipFile": "def handler(event, context): return 1"},
                "Timeout": "5",
                "Tags": TAG,
                "ReservedConcurrentExecutions": "2",
                "Environment": {"Variables": {"NUMBER": 1}},
            },
            {
                "Code": {"ZipFile": "def handler(event, context): return 2"},
                "MemorySize": 256,
                "Tags": [],
                "CapacityProviderConfig": MACHINE,
            },
        ),
        Case("AWS::Lambda::Permission", {"FunctionName": function, "Action": "lambda:InvokeFunction",
             "Principal": "s3.amazonaws.com", "SourceAccount": ACCOUNT}, {}),
        Case("AWS::Lambda::Version", {"FunctionName": function, "Description": "first",
             "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": "1"}}, {}),
        Case("AWS::Lambda::Version", {"FunctionName": function, "Description": "second",
             "FunctionScalingConfig": {"MinExecutionEnvironments": "1"}},
             {"FunctionScalingConfig": {"MaxExecutionEnvironments": 3}}),
        Case("AWS::Lambda::LayerVersion", {"LayerName": "contract", "Content": {"S3Bucket": bucket, "S3Key": "l.zip"},
             "CompatibleRuntimes": ["python3.11"]}, {}),
        Case("AWS::Lambda::LayerVersionPermission", {"LayerVersionArn": layer, "Action": "lambda:GetLayerVersion",
             "Principal": "*", "OrganizationId": "o-0123456789"}, {}),
        Case(
            "AWS::Lambda::CodeSigningConfig",
            {
                "AllowedPublishers": {"SigningProfileVersionArns": [PROFILE]},
                "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Enforce"},
                "Tags": TAG,
            },
            {"CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"}, "Description": "d", "Tags": []},
        ),
        Case("AWS::Lambda::Alias", {"FunctionName": function, "FunctionVersion": "$LATEST", "Name": "live"},
             {"Description": "d"}),
        Case("AWS::Lambda::Url", {"TargetFunctionArn": function, "AuthType": "NONE"}, {"AuthType": "AWS_IAM"}),
        Case("AWS::Lambda::EventInvokeConfig", {"FunctionName": function, "Qualifier": "$LATEST",
             "MaximumRetryAttempts": 1}, {"MaximumRetryAttempts": "0"}),
        Case(
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": TRUST,
                "Policies": [{"PolicyName": "one", "PolicyDocument": ALLOW}],
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/A"],
                "Tags": TAG,
            },
            {
                "Policies": [{"PolicyName": "two", "PolicyDocument": DENY}],
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/B"],
                "Description": "d",
                "Tags": [],
            },
        ),
        Case("AWS::IAM::Policy", {"PolicyName": "p", "PolicyDocument": ALLOW, "Roles": [role]},
             {"PolicyName": "q", "PolicyDocument": DENY}),
        Case("AWS::IAM::ManagedPolicy", {"PolicyDocument": ALLOW, "Roles": [role]}, {"Roles": []}),
        Case(
            "AWS::DynamoDB::Table",
            {
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "end", "Enabled": "true"},
                "Tags": TAG,
            },
            {"TimeToLiveSpecification": {"Enabled": "false", "AttributeName": "end"}, "Tags": []},
        ),
        Case(
            "AWS::SQS::Queue",
            {"VisibilityTimeout": "60", "FifoQueue": "true", "Tags": TAG},
            {"VisibilityTimeout": 90, "ContentBasedDeduplication": "true", "Tags": []},
        ),
        Case("AWS::SQS::QueuePolicy", {"PolicyDocument": QUEUE_POLICY, "Queues": [QUEUE_URL]},
             {"PolicyDocument": {**QUEUE_POLICY, "Id": "other"}}),
        Case(
            "AWS::Lambda::EventSourceMapping",
            {"FunctionName": function, "EventSourceArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:contract", "Tags": TAG},
            {"BatchSize": "5", "ScalingConfig": {"MaximumConcurrency": "3"}, "Tags": []},
        ),
        Case("AWS::CodeDeploy::Application", {"ComputePlatform": "Lambda", "Tags": TAG}, {"Tags": []}),
        Case("AWS::CodeDeploy::DeploymentConfig", {"ComputePlatform": "Lambda", "TrafficRoutingConfig": CANARY}, {}),
        Case(
            "AWS::CodeDeploy::DeploymentGroup",
            {"ApplicationName": "contract", "ServiceRoleArn": role_arn, "Tags": TAG},
            {
                "AlarmConfiguration": {"Enabled": "true", "Alarms": [{"Name": "a"}]},
                "DeploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes",
                "AutoRollbackConfiguration": {"Enabled": True, "Events": ["DEPLOYMENT_FAILURE"]},
                "Tags": [],
            },
        ),
        Case(
            "AWS::CloudWatch::Alarm",
            {**ALARM, "EvaluationPeriods": "1", "Threshold": "0", "Period": "60", "Tags": TAG},
            {"EvaluationPeriods": 2, "TreatMissingData": "notBreaching", "Tags": []},
        ),
        Case(
            "AWS::Lambda::CapacityProvider",
            {
                "VpcConfig": NETWORK,
                "PermissionsConfig": {"CapacityProviderOperatorRoleArn": role_arn},
                "CapacityProviderScalingConfig": {"MaxVCpuCount": "4"},
                "Tags": TAG,
            },
            {"CapacityProviderScalingConfig": {"MaxVCpuCount": 6}, "Tags": []},
        ),
        Case(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            {**SCALED, "ResourceId": f"function:{function.rpartition(':')[2]}:1", "MinCapacity": "0",
             "MaxCapacity": "0", "ScheduledActions": [NIGHT]},
            {"MaxCapacity": 1, "SuspendedState": {"ScheduledScalingSuspended": "true"}, "ScheduledActions": []},
        ),
        Case(
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {**SCALED, "ResourceId": f"function:{function.rpartition(':')[2]}:scaled", "PolicyName": "seventy",
             "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": TRACKED},
            {"TargetTrackingScalingPolicyConfiguration": {**TRACKED, "ScaleInCooldown": "60"}},
        ),
        Case("AWS::Logs::LogGroup", {"RetentionInDays": "7", "Tags": TAG}, {"RetentionInDays": 14, "Tags": []}),
    ]  # fmt: skip


NAMES = [case.type for case in cases("", "", "", "", "")]


async def _repeated(act: Callable[[], Awaitable[Any]]) -> Any:
    first = await act()
    second = await act()
    assert first == second
    return second


async def _scaled(call: Caller, function: str) -> dict[str, str]:
    """A version of the function, and an alias that is a scalable target."""
    await call("lambda", "PublishVersion", FunctionName=function)
    await call("lambda", "CreateAlias", FunctionName=function, Name="scaled", FunctionVersion="1")
    place = {**SCALED, "ResourceId": f"function:{function}:scaled"}
    await call("application-autoscaling", "RegisterScalableTarget", **place, MinCapacity=0, MaxCapacity=0)
    return place


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
async def test_every_step_may_be_repeated(client: Client, number: int) -> None:
    types = resource_types()
    call = Caller(OverTheWire(client), CONTEXT)

    def target(name: str) -> Target:
        return Target(f"arn:stack/contract-{number}", f"contract{number}", name, 1, ACCOUNT, "us-east-1")

    role_type, function_type = types["AWS::IAM::Role"], types["AWS::Lambda::Function"]
    role_properties = {"AssumeRolePolicyDocument": TRUST}
    role = await role_type.create(call, target("Base"), role_properties)
    base = cases(role.physical_id, role.attributes["Arn"], "", "", "")[1].properties
    function_properties = shape(base, function_type.schema)
    function = await function_type.create(call, target("Code"), function_properties)
    await call("sqs", "CreateQueue", QueueName="contract")
    taken = "ApplicationAlreadyExistsException"
    await call.unless(taken, "codedeploy", "CreateApplication", applicationName="contract", computePlatform="Lambda")
    bucket, layer = published(client)
    scaled = await _scaled(call, function.physical_id) if "AutoScaling" in NAMES[number] else None
    case = cases(role.physical_id, role.attributes["Arn"], function.attributes["Arn"], bucket, layer)[number]

    kind, mine = types[case.type], target("Mine")
    old = shape(case.properties, kind.schema)
    new = shape({**case.properties, **case.changes}, kind.schema)
    assert not await kind.exists(call, mine, old)
    made = await _repeated(lambda: kind.create(call, mine, old))
    assert kind.attributes >= set(made.attributes)
    changed = await _repeated(lambda: kind.update(call, mine, made, old, new))
    assert changed.physical_id == made.physical_id
    back = await _repeated(lambda: kind.update(call, mine, made, new, old))
    assert back == made
    await kind.delete(call, mine, made, old)
    await kind.delete(call, mine, made, old)
    assert not await kind.exists(call, mine, old)

    if scaled is not None:
        await call("application-autoscaling", "DeregisterScalableTarget", **scaled)
    await function_type.delete(call, target("Code"), function, function_properties)
    await role_type.delete(call, target("Base"), role, role_properties)


def test_there_is_a_case_for_every_type() -> None:
    assert sorted(set(NAMES)) == sorted(resource_types())


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_every_type_has_names_within_aws_limits_that_are_its_own(number: int) -> None:
    case = cases("role", "arn:aws:iam::000000000000:role/role", "function", "bucket", f"{LAYER}:1")[number]
    kind = resource_types()[case.type]
    properties = shape(case.properties, kind.schema)
    long = Target("arn:stack/1", "s" * 128, "L" * 255, 1, ACCOUNT, "us-east-1")
    name = kind.physical_id(long, properties)
    assert len(name.rpartition("/")[2]) <= 512
    if case.type == "AWS::S3::Bucket":
        assert len(name) <= 63
        assert name == name.lower()
    if case.type in ("AWS::Lambda::Function", "AWS::IAM::Role"):
        assert len(name) <= 64
    if not case.type.startswith(("AWS::Lambda::Url", "AWS::Lambda::Alias", "AWS::ApplicationAutoScaling::")):
        assert name != kind.physical_id(dataclasses.replace(long, generation=2), properties)


def test_a_property_that_is_not_supported_is_named() -> None:
    with pytest.raises(PropertyError, match="Encountered unsupported property BucketEncryption"):
        shape({"BucketEncryption": {}}, resource_types()["AWS::S3::Bucket"].schema)
