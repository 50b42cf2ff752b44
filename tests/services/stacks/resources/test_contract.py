"""One contract for all resource types, against the real services: every step may be repeated, as after a crash."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.stacks.resources.base import Caller, Made, ResourceType, Target, UnreadableError
from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.resources.schema import PropertyError, shape
from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.stacks.resources.case import Case, Http, Rest, World
from tests.services.stacks.resources.config_cases import cases as config_cases
from tests.services.stacks.resources.http_cases import cases as http_cases
from tests.services.stacks.resources.http_cases import http_of
from tests.services.stacks.resources.iam_cases import cases as iam_cases
from tests.services.stacks.resources.messaging_cases import cases as messaging_cases
from tests.services.stacks.resources.messaging_cases import key
from tests.services.stacks.resources.rest_cases import cases as rest_cases
from tests.services.stacks.resources.rest_cases import rest_of
from tests.services.stacks.resources.storage_cases import cases as storage_cases
from tests.services.stacks.resources.watching_cases import cases as watching_cases

ACCOUNT = "000000000000"
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", Principal("root", ACCOUNT, "", ""), "http://127.0.0.1:4566")
SERVICES = ["lambda.amazonaws.com", "pipes.amazonaws.com", "scheduler.amazonaws.com"]
TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}]}
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
        self._headers: Mapping[str, str] = {}
        self._clients: dict[str, Any] = {}  # making one costs more than what it is used for

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        if service not in self._clients:
            self._clients[service] = made = self._client(service)
            made.meta.events.register("before-call", lambda params, **_: params["headers"].update(self._headers))
        self._headers = context.headers
        try:
            reply: dict[str, Any] = getattr(self._clients[service], xform_name(operation))(**params)
        except ClientError as error:
            raise ServiceError(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
        return reply


@pytest.fixture(scope="session")
def operations(platform: PlatformProcess) -> OverTheWire:
    return OverTheWire(platform.client)


def cases(world: World) -> list[Case]:
    """Those of each module of cases."""
    named = (
        compute_cases,
        http_cases,
        iam_cases,
        messaging_cases,
        storage_cases,
        config_cases,
        rest_cases,
        watching_cases,
    )
    return [case for cases_of in named for case in cases_of(world)]


def compute_cases(world: World) -> list[Case]:
    role_arn, function, bucket, layer = world.role_arn, world.function, world.bucket, world.layer
    return [
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
    ]  # fmt: skip


# Types that take the ARN of a function, or nothing of it, and do not ask whether it is there.
UNCODED = ("AWS::CloudWatch::", "AWS::DynamoDB::", "AWS::Events::", "AWS::IAM::", "AWS::Logs::", "AWS::Pipes::",
           "AWS::SNS::", "AWS::SQS::", "AWS::Scheduler::")  # fmt: skip
# Types that are called after what they are said of.
OF_ANOTHER = (
    "AWS::SNS::TopicInlinePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGatewayV2::Stage",
)
NAMES = [case.type for case in cases(World())]


async def _repeated(act: Callable[[], Awaitable[Any]]) -> Any:
    first = await act()
    second = await act()
    assert _timeless(first) == _timeless(second)
    return second


def _timeless(made: Made) -> Made:
    """Without when it was last changed."""
    times = ("LastModificationDate", "LastModifiedTime", "UpdateDate")
    return made._replace(attributes={name: value for name, value in made.attributes.items() if name not in times})


async def _scaled(call: Caller, function: str) -> dict[str, str]:
    """A version of the function, and an alias that is a scalable target."""
    await call("lambda", "PublishVersion", FunctionName=function)
    await call("lambda", "CreateAlias", FunctionName=function, Name="scaled", FunctionVersion="1")
    place = {**SCALED, "ResourceId": f"function:{function}:scaled"}
    await call("application-autoscaling", "RegisterScalableTarget", **place, MinCapacity=0, MaxCapacity=0)
    return place


async def _connection(call: Caller) -> str:
    """The ARN of a connection."""
    named = {"Name": "contract", "AuthorizationType": "API_KEY", "AuthParameters": key("secret")}
    await call.unless("ResourceAlreadyExistsException", "events", "CreateConnection", **named)
    return str((await call("events", "DescribeConnection", Name="contract"))["ConnectionArn"])


async def _secret(call: Caller, function: str) -> str:
    """The ARN of a secret that the function may rotate."""
    await call("lambda", "AddPermission", FunctionName=function, StatementId="secrets",
               Action="lambda:InvokeFunction", Principal="secretsmanager.amazonaws.com")  # fmt: skip
    token = "contract" * 4
    made = await call("secretsmanager", "CreateSecret", Name="contract", SecretString="value", ClientRequestToken=token)
    return str(made["ARN"])


async def _read(
    kind: ResourceType, call: Caller, target: Target, made: Made, properties: dict[str, Any]
) -> Mapping[str, Any] | None:
    """What the type reads; what it was given where it cannot."""
    try:
        found = await kind.read(call, target, made, properties)
    except UnreadableError:
        return _given(properties)
    return None if found is None else _given(found)


def _given(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says nothing."""
    return {name: value for name, value in properties.items() if value not in ([], {})}


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
async def test_every_step_may_be_repeated(client: Client, operations: OverTheWire, number: int) -> None:
    types = resource_types()
    call = Caller(operations, CONTEXT)

    def target(name: str) -> Target:
        return Target(f"arn:stack/contract-{number}", f"contract{number}", name, 1, ACCOUNT, "us-east-1")

    role_type, function_type = types["AWS::IAM::Role"], types["AWS::Lambda::Function"]
    role_properties = {"AssumeRolePolicyDocument": TRUST}
    role = await role_type.create(call, target("Base"), role_properties)
    base = cases(World(role.physical_id, role.attributes["Arn"]))[0].properties
    function_properties = shape(base, function_type.schema)
    coded = not NAMES[number].startswith(UNCODED)
    function = Made("contract", {"Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:contract"})
    if coded:
        function = await function_type.create(call, target("Code"), function_properties)
    await call("sqs", "CreateQueue", QueueName="contract")
    taken = "ApplicationAlreadyExistsException"
    await call.unless(taken, "codedeploy", "CreateApplication", applicationName="contract", computePlatform="Lambda")
    bucket, layer = published(client) if coded else (World.bucket, World.layer)
    scaled = await _scaled(call, function.physical_id) if "AutoScaling" in NAMES[number] else None
    topic = (await call("sns", "CreateTopic", Name="contract"))["TopicArn"]
    connection = await _connection(call)
    await call.unless("ResourceAlreadyExistsException", "logs", "CreateLogGroup", logGroupName=World.log_group)
    await call.unless("EntityAlreadyExists", "iam", "CreateUser", UserName=World.user)
    await call.unless("EntityAlreadyExists", "iam", "CreateGroup", GroupName=World.group)
    secret = await _secret(call, function.physical_id) if "SecretsManager" in NAMES[number] else ""
    rest = await rest_of(call) if "ApiGateway::" in NAMES[number] else Rest()
    http = await http_of(call) if "ApiGatewayV2::" in NAMES[number] else Http()
    world = World(role.physical_id, role.attributes["Arn"], function.attributes["Arn"], bucket, layer, topic,
                  connection=connection, secret=secret, rest=rest, http=http)  # fmt: skip
    case = cases(world)[number]

    kind, mine = types[case.type], target("Mine")
    old = shape(case.properties, kind.schema)
    new = shape({**case.properties, **case.changes}, kind.schema)
    assert not await kind.exists(call, mine, old)
    made = await _repeated(lambda: kind.create(call, mine, old))
    assert kind.attributes >= set(made.attributes)
    assert await _read(kind, call, mine, made, old) == _given(old)
    changed = await _repeated(lambda: kind.update(call, mine, made, old, new))
    assert changed.physical_id == made.physical_id
    assert await _read(kind, call, mine, changed, new) == _given(new)
    back = await _repeated(lambda: kind.update(call, mine, made, new, old))
    assert _timeless(back) == _timeless(made)
    await kind.delete(call, mine, made, old)
    await kind.delete(call, mine, made, old)
    assert not await kind.exists(call, mine, old)
    assert await _read(kind, call, mine, made, old) in (None, _given(old))

    for api in () if http == Http() else (http.api, http.socket):
        await call("apigatewayv2", "DeleteApi", ApiId=api)
    if rest != Rest():
        await call("apigateway", "DeleteRestApi", restApiId=rest.api)
    if scaled is not None:
        await call("application-autoscaling", "DeregisterScalableTarget", **scaled)
    if coded:
        await function_type.delete(call, target("Code"), function, function_properties)
    await role_type.delete(call, target("Base"), role, role_properties)


def test_there_is_a_case_for_every_type() -> None:
    # Those of CloudFormation itself need a stack around them, and have tests of their own.
    assert sorted(set(NAMES)) == sorted(name for name in resource_types() if "::CloudFormation::" not in name)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_every_type_has_names_within_aws_limits_that_are_its_own(number: int) -> None:
    case = cases(World())[number]
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
    said_of_another = ("AWS::Lambda::Url", "AWS::Lambda::Alias", "AWS::ApplicationAutoScaling::", *OF_ANOTHER)
    if not case.type.startswith(said_of_another) and kind.custom_name(properties) is None:
        assert name != kind.physical_id(dataclasses.replace(long, generation=2), properties)


def test_a_property_that_is_not_supported_is_named() -> None:
    with pytest.raises(PropertyError, match="Encountered unsupported property BucketColour"):
        shape({"BucketColour": {}}, resource_types()["AWS::S3::Bucket"].schema)
