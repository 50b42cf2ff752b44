"""Functions driven by queues on a whole platform, by boto3, and by a SAM template."""

import json
import time
from collections.abc import Callable
from typing import Any

Client = Callable[..., Any]
APPLICATION = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Dead: {Type: AWS::SQS::Queue}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}
  Done: {Type: AWS::SQS::Queue}
  Allowed:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Work]
      PolicyDocument:
        Statement: [{Effect: Allow, Principal: "*", Action: "sqs:SendMessage", Resource: !GetAtt Work.Arn}]
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Environment: {Variables: {DONE: !Ref Done}}
      InlineCode: |
        import boto3, json, os
        sqs = boto3.client("sqs")
        def handler(event, context):
            failed = []
            for record in event["Records"]:
                if json.loads(record["body"])["fails"]:
                    failed.append({"itemIdentifier": record["messageId"]})
                else:
                    sqs.send_message(QueueUrl=os.environ["DONE"], MessageBody=record["body"])
            return {"batchItemFailures": failed}
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: !GetAtt Work.Arn
            BatchSize: 4
            FunctionResponseTypes: [ReportBatchItemFailures]
Outputs:
  Work: {Value: !Ref Work}
  Done: {Value: !Ref Done}
  Dead: {Value: !Ref Dead}
  Worker: {Value: !Ref Worker}
"""


def received(sqs: Any, url: str, count: int) -> list[str]:
    """The bodies of `count` messages, which are deleted."""
    found: list[str] = []
    until = time.monotonic() + 60
    while len(found) < count and time.monotonic() < until:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", ()):
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_a_sam_template_makes_a_queue_and_the_function_that_it_drives(client: Client) -> None:
    stacks, sqs, functions = client("cloudformation"), client("sqs"), client("lambda")
    stacks.create_stack(
        StackName="jobs", TemplateBody=APPLICATION, Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    )
    stacks.get_waiter("stack_create_complete").wait(StackName="jobs", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    [stack] = stacks.describe_stacks(StackName="jobs")["Stacks"]
    made = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    [mapping] = functions.list_event_source_mappings(FunctionName=made["Worker"])["EventSourceMappings"]
    assert (mapping["State"], mapping["BatchSize"]) == ("Enabled", 4)

    entries = [
        {"Id": str(number), "MessageBody": json.dumps({"number": number, "fails": number == 3})} for number in range(8)
    ]
    sqs.send_message_batch(QueueUrl=made["Work"], Entries=entries)
    assert {json.loads(body)["number"] for body in received(sqs, made["Done"], 7)} == {0, 1, 2, 4, 5, 6, 7}

    stacks.delete_stack(StackName="jobs")
    stacks.get_waiter("stack_delete_complete").wait(StackName="jobs", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert functions.list_event_source_mappings(FunctionName="Worker")["EventSourceMappings"] == []
