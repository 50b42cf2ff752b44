"""Filters on log groups as parts of stacks: a function is called with what was logged, a metric has what it says."""

import base64
import gzip
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Client = Callable[..., Any]
WAIT = {"Delay": 0.2, "MaxAttempts": 300}
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Lines: {Type: AWS::Logs::LogGroup}
  Errors:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        import base64, gzip, json
        def handler(event, context):
            said = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
            return [one["message"] for one in said["logEvents"]]
      EventInvokeConfig: {DestinationConfig: {OnSuccess: {Type: SQS, Destination: !GetAtt Results.Arn}}}
      Policies: [{SQSSendMessagePolicy: {QueueName: !GetAtt Results.QueueName}}]
      Events:
        Line:
          Type: CloudWatchLogs
          Properties: {LogGroupName: !Ref Lines, FilterPattern: "{ $.level = ERROR }"}
  Results: {Type: AWS::SQS::Queue}
  Copies: {Type: AWS::SQS::Queue}
  Copied:
    Type: AWS::Logs::SubscriptionFilter
    Properties: {LogGroupName: !Ref Lines, FilterPattern: "", DestinationArn: !GetAtt Copies.Arn}
  Slowness:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref Lines
      FilterPattern: "{ $.ms > 0 }"
      MetricTransformations: [{MetricName: Slowness, MetricNamespace: Types, MetricValue: $.ms}]
"""


def received(client: Client, url: str) -> Any:
    (message,) = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    return json.loads(message["Body"])


def test_what_is_logged_reaches_the_function_the_queue_and_the_metric_that_a_template_names(client: Client) -> None:
    formation, logs = client("cloudformation"), client("logs")
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    formation.create_stack(StackName="log-filters", TemplateBody=TEMPLATE, Capabilities=capabilities)
    formation.get_waiter("stack_create_complete").wait(StackName="log-filters", WaiterConfig=WAIT)
    found = formation.describe_stack_resources(StackName="log-filters")["StackResources"]
    made = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}
    group, now = made["Lines"], int(time.time() * 1000)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    error = json.dumps({"level": "ERROR", "ms": 25})
    events = [{"timestamp": now, "message": error}, {"timestamp": now, "message": "fine"}]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    assert received(client, made["Results"])["responsePayload"] == [error]
    copied = json.loads(gzip.decompress(base64.b64decode(received(client, made["Copies"])["awslogs"]["data"])))
    assert [one["message"] for one in copied["logEvents"]] == [error, "fine"]
    ends = datetime.now(UTC) + timedelta(minutes=1)
    shown = client("cloudwatch").get_metric_statistics(
        Namespace="Types", MetricName="Slowness", StartTime=ends - timedelta(minutes=10), EndTime=ends, Period=600,
        Statistics=["Sum", "SampleCount"],
    )  # fmt: skip
    assert sum(point["Sum"] for point in shown["Datapoints"]) == 25

    formation.delete_stack(StackName="log-filters")
    formation.get_waiter("stack_delete_complete").wait(StackName="log-filters", WaiterConfig=WAIT)
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"] == []


def test_a_filter_waits_for_the_permission_of_its_function_that_the_template_makes_later(client: Client) -> None:
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "InlineCode": "def handler(event, context): return 1",
        },
    }
    may = {
        "FunctionName": {"Ref": "Heard"},
        "Action": "lambda:InvokeFunction",
        "Principal": "logs.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": "Lines.Arn"},
    }
    heard = {"LogGroupName": {"Ref": "Lines"}, "FilterPattern": "", "DestinationArn": {"Fn::GetAtt": "Heard.Arn"}}
    resources = {
        "Lines": {"Type": "AWS::Logs::LogGroup"},
        "Heard": function,
        "Filter": {"Type": "AWS::Logs::SubscriptionFilter", "Properties": heard},
        "First": {"Type": "AWS::SQS::Queue", "DependsOn": "Heard"},
        "Second": {"Type": "AWS::SQS::Queue", "DependsOn": "First"},
        "May": {"Type": "AWS::Lambda::Permission", "DependsOn": "Second", "Properties": may},
    }
    formation = client("cloudformation")
    body = json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources})
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    formation.create_stack(StackName="log-later", TemplateBody=body, Capabilities=capabilities)
    formation.get_waiter("stack_create_complete").wait(StackName="log-later", WaiterConfig=WAIT)
    formation.delete_stack(StackName="log-later")
    formation.get_waiter("stack_delete_complete").wait(StackName="log-later", WaiterConfig=WAIT)
