"""Stacks: how long two hundred resources take to be made, to be found unchanged, and to be deleted.

Two templates of the same size: one of plain resources of many kinds, one of SAM, whose transform an update runs as
well before it can say that there is nothing to do.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.platform import Running
from benchmarks.report import Report, Row

RESOURCES = 200
ROUNDS = 5
BUCKET = "bench-templates"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
HANDLER = 'def handler(event, context):\n    return "hello"\n'
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def stacks(platform: Running, report: Report) -> None:
    """See the module."""
    platform.client("s3").create_bucket(Bucket=BUCKET)
    one = _made(platform, "bench-one", {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    floor = "a stack of one queue"
    for what, template in (("plain", plain()), ("SAM", sam())):
        name = f"bench-{what.lower()}"
        made = _made(platform, name, template)
        report.add(
            Row(f"{what} stack of {RESOURCES} resources: made", made.wall_s, "s", one.wall_s, floor),
            Row(f"{what} stack of {RESOURCES} resources: processor time of the server", made.cpu_s, "s"),
            Row(
                f"{what} stack of {RESOURCES} resources: an update that changes nothing",
                _unchanged(platform, name),
                "s",
            ),
            Row(f"{what} stack of {RESOURCES} resources: deleted", _deleted(platform, name), "s"),
        )
    _deleted(platform, "bench-one")


def plain() -> dict[str, Any]:
    """Functions with roles and permissions, tables, queues, topics, log groups, alarms: an eighth of each."""
    resources: dict[str, Any] = {}
    for number in range(RESOURCES // 8):
        resources |= {
            f"Role{number}": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": _TRUST,
                    "Policies": [_policy({"Fn::GetAtt": [f"Table{number}", "Arn"]})],
                },
            },
            f"Function{number}": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": [f"Role{number}", "Arn"]},
                    "Code": {"ZipFile": HANDLER},
                    "Environment": {"Variables": {"TABLE": {"Ref": f"Table{number}"}}},
                },
            },
            f"Permission{number}": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": f"Function{number}"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "sns.amazonaws.com",
                    "SourceArn": {"Ref": f"Topic{number}"},
                },
            },
            f"Table{number}": {"Type": "AWS::DynamoDB::Table", "Properties": _table()},
            f"Queue{number}": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}},
            f"Topic{number}": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": f"topic {number}"}},
            f"Logs{number}": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {
                    "LogGroupName": {"Fn::Sub": f"/aws/lambda/${{Function{number}}}"},
                    "RetentionInDays": 7,
                },
            },
            f"Alarm{number}": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": "Errors",
                    "Dimensions": [{"Name": "FunctionName", "Value": {"Ref": f"Function{number}"}}],
                    "ComparisonOperator": "GreaterThanThreshold",
                    "EvaluationPeriods": 1,
                    "Period": 60,
                    "Statistic": "Sum",
                    "Threshold": 0,
                },
            },
        }
    return {"Resources": resources}


def sam() -> dict[str, Any]:
    """Functions that read from queues and write to tables: five resources each, of which SAM makes two."""
    resources: dict[str, Any] = {}
    for number in range(RESOURCES // 5):
        resources |= {
            f"Items{number}": {"Type": "AWS::Serverless::SimpleTable"},
            f"Work{number}": {"Type": "AWS::SQS::Queue"},
            f"Worker{number}": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Runtime": "python3.11",
                    "Handler": "index.handler",
                    "InlineCode": HANDLER,
                    "Policies": [{"DynamoDBCrudPolicy": {"TableName": {"Ref": f"Items{number}"}}}],
                    "Events": {
                        "Work": {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": [f"Work{number}", "Arn"]}}}
                    },
                },
            },
        }
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


def _table() -> dict[str, Any]:
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }


def _policy(resource: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": resource}
    return {"PolicyName": "table", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}


class _Spent:
    def __init__(self, wall_s: float, cpu_s: float) -> None:
        self.wall_s = wall_s
        self.cpu_s = cpu_s


def _measured(platform: Running, act: Callable[[], object]) -> _Spent:
    before, began = _cpu_s(platform.pid), time.perf_counter()
    act()
    return _Spent(time.perf_counter() - began, _cpu_s(platform.pid) - before)


def _made(platform: Running, name: str, template: dict[str, Any]) -> _Spent:
    platform.client("s3").put_object(Bucket=BUCKET, Key=name, Body=json.dumps(template).encode())
    client = platform.client("cloudformation")

    def create() -> None:
        client.create_stack(StackName=name, TemplateURL=_url(platform, name), Capabilities=CAPABILITIES)
        status = _settled(client, name)
        if status != "CREATE_COMPLETE":
            raise RuntimeError(f"{name}: {status}")

    return _measured(platform, create)


def _url(platform: Running, name: str) -> str:
    return f"{platform.url}/{BUCKET}/{name}"


def _settled(client: Any, name: str) -> str:
    while True:
        status: str = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.05)


def _unchanged(platform: Running, name: str) -> float:
    """Seconds to hear that there is nothing to do, the median of some rounds."""
    client = platform.client("cloudformation")
    samples = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        try:
            client.update_stack(StackName=name, TemplateURL=_url(platform, name), Capabilities=CAPABILITIES)
        except ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
        else:
            raise RuntimeError(f"{name}: an update of what is the same changed something")
        samples.append(time.perf_counter() - began)
    return statistics.median(samples)


def _deleted(platform: Running, name: str) -> float:
    client = platform.client("cloudformation")
    stack_id = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]

    def delete() -> None:
        client.delete_stack(StackName=name)
        status = _settled(client, stack_id)
        if status != "DELETE_COMPLETE":
            raise RuntimeError(f"{name}: {status}")

    return _measured(platform, delete).wall_s


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
