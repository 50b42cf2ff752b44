"""The AWS command line, unmodified, against the running platform."""

import json
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PlatformProcess

Aws = Callable[..., Any]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


# The CLI looks at stacks every 30 s: put where its Python looks for it, this has it look every second instead.
IMPATIENCE = """
import time

sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 1))
"""


@pytest.fixture
def aws(platform: PlatformProcess, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Aws:
    """`aws("s3api", "list-buckets")`: the JSON that the command prints, or its text; fails when the command does."""
    impatience = tmp_path_factory.mktemp("impatience")
    (impatience / "sitecustomize.py").write_text(IMPATIENCE)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(impatience),
        "HOME": str(tmp_path),
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_ACCESS_KEY_ID": platform.access_key_id,
        "AWS_SECRET_ACCESS_KEY": platform.secret_access_key,
        "AWS_DEFAULT_REGION": platform.region,
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(*arguments: str, fails: bool = False) -> Any:
        command = [str(Path(sys.executable).with_name("aws")), *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert (done.returncode != 0) is fails, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        if fails:
            return done.stderr
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    return run


def test_who_am_i(aws: Aws) -> None:
    assert aws("sts", "get-caller-identity")["Arn"] == "arn:aws:iam::000000000000:root"


def test_files_go_up_and_come_down(aws: Aws, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "a.txt").write_text("a")
    (tree / "sub" / "large.bin").write_bytes(os.urandom(9_000_000))  # beyond the CLI's multipart threshold
    aws("s3", "mb", "s3://aws-cli")
    aws("s3", "sync", "tree", "s3://aws-cli/tree")
    assert "large.bin" in aws("s3", "ls", "s3://aws-cli/tree/sub/")
    aws("s3", "cp", "s3://aws-cli/tree/sub/large.bin", "s3://aws-cli/copy.bin")
    aws("s3", "sync", "s3://aws-cli", "back")
    original = (tree / "sub" / "large.bin").read_bytes()
    assert (tmp_path / "back" / "tree" / "sub" / "large.bin").read_bytes() == original
    assert (tmp_path / "back" / "copy.bin").read_bytes() == original
    url = aws("s3", "presign", "s3://aws-cli/tree/a.txt").strip()
    with urllib.request.urlopen(url, timeout=60) as reply:
        assert reply.read() == b"a"
    aws("s3", "rb", "s3://aws-cli", "--force")
    assert "NoSuchBucket" in aws("s3", "ls", "s3://aws-cli", fails=True)


def test_items_go_in_and_come_out(aws: Aws) -> None:
    aws(
        "dynamodb", "create-table", "--table-name", "aws-cli", "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=id,AttributeType=S", "--key-schema", "AttributeName=id,KeyType=HASH",
    )  # fmt: skip
    aws("dynamodb", "wait", "table-exists", "--table-name", "aws-cli")
    item = {"id": {"S": "one"}, "n": {"N": "1.5"}}
    aws("dynamodb", "put-item", "--table-name", "aws-cli", "--item", json.dumps(item))
    key = json.dumps({"id": {"S": "one"}})
    assert aws("dynamodb", "get-item", "--table-name", "aws-cli", "--key", key)["Item"] == item
    assert aws("dynamodb", "scan", "--table-name", "aws-cli")["Count"] == 1


def test_functions_are_made_called_and_read_about(aws: Aws, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    print('hi')\n    return event['a'] + 1\n")
    role = aws("iam", "create-role", "--role-name", "aws-cli", "--assume-role-policy-document", json.dumps(TRUST))
    runtime = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    aws(
        "lambda", "create-function", "--function-name", "aws-cli", "--runtime", runtime, "--handler", "app.handler",
        "--role", role["Role"]["Arn"], "--zip-file", "fileb://f.zip",
    )  # fmt: skip
    aws("lambda", "wait", "function-active-v2", "--function-name", "aws-cli")
    aws("lambda", "invoke", "--function-name", "aws-cli", "--payload", '{"a": 41}', "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == 42
    found = aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/aws-cli")["events"]
    assert "hi\n" in [event["message"] for event in found]


def test_what_is_not_implemented_is_named(aws: Aws) -> None:
    assert "Mayfly does not implement PutBucketReplication of s3" in aws(
        "s3api", "put-bucket-replication", "--bucket", "x", "--replication-configuration", '{"Role":"r","Rules":[]}',
        fails=True,
    )  # fmt: skip
    assert "Mayfly does not implement ListStreams of kinesis" in aws("kinesis", "list-streams", fails=True)
    assert "Mayfly does not implement DescribeInstances of ec2" in aws("ec2", "describe-instances", fails=True)


def test_messages_are_sent_received_and_deleted(aws: Aws, platform: PlatformProcess) -> None:
    def sqs(command: str, *options: str, fails: bool = False) -> Any:
        # Version 1 of the CLI heeds AWS_ENDPOINT_URL for every service but this one.
        return aws("sqs", command, "--endpoint-url", platform.url, *options, fails=fails)

    url = sqs("create-queue", "--queue-name", "cli.fifo", "--attributes", "FifoQueue=true")["QueueUrl"]
    queue = ("--queue-url", url)
    about = ("--message-group-id", "a", "--message-deduplication-id", "x")
    sent = sqs("send-message", *queue, "--message-body", "one", *about)
    (message,) = sqs("receive-message", *queue, "--wait-time-seconds", "5")["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "one")
    sqs("delete-message", *queue, "--receipt-handle", message["ReceiptHandle"])
    found = sqs("get-queue-attributes", *queue, "--attribute-names", "All")["Attributes"]
    assert found["ApproximateNumberOfMessages"] == found["ApproximateNumberOfMessagesNotVisible"] == "0"
    sqs("delete-queue", *queue)
    assert "AWS.SimpleQueueService.NonExistentQueue" in sqs("get-queue-url", "--queue-name", "x", fails=True)


def test_events_are_put_and_matched(aws: Aws) -> None:
    aws("events", "create-event-bus", "--name", "cli")
    aws("logs", "create-log-group", "--log-group-name", "/aws/events/cli")
    arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/events/cli"
    rule = ("--rule", "all", "--event-bus-name", "cli")
    aws("events", "put-rule", "--name", "all", "--event-bus-name", "cli", "--event-pattern", '{"source":["shop"]}')
    aws("events", "put-targets", *rule, "--targets", f"Id=l,Arn={arn}")
    entry = {"EventBusName": "cli", "Source": "shop", "DetailType": "sold", "Detail": '{"n": 1}'}
    assert aws("events", "put-events", "--entries", json.dumps([entry]))["FailedEntryCount"] == 0
    (line,) = aws("logs", "filter-log-events", "--log-group-name", "/aws/events/cli")["events"]
    assert json.loads(line["message"])["detail"] == {"n": 1}
    assert "does not exist" in aws("events", "describe-rule", "--name", "missing", fails=True)
    aws("events", "remove-targets", *rule, "--ids", "l")
    aws("events", "delete-rule", "--name", "all", "--event-bus-name", "cli")
    aws("events", "delete-event-bus", "--name", "cli")


def test_topics_fan_out_and_pipes_carry_on(aws: Aws, platform: PlatformProcess) -> None:
    urls = {name: platform.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("cli-in", "cli-out")}
    arn = "arn:aws:sqs:us-east-1:000000000000:cli-{}"
    service = {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    role = aws("iam", "create-role", "--role-name", "cli-pipe", "--assume-role-policy-document", trust)["Role"]["Arn"]
    topic = aws("sns", "create-topic", "--name", "cli", "--query", "TopicArn", "--output", "text").strip()
    to = ("--topic-arn", topic)
    aws("sns", "subscribe", *to, "--protocol", "sqs", "--notification-endpoint", arn.format("in"))
    aws(
        "pipes", "create-pipe", "--name", "cli", "--role-arn", role, "--source", arn.format("in"),
        "--target", arn.format("out"), "--target-parameters", '{"InputTemplate": "<$.body.Message>"}',
    )  # fmt: skip
    kind = '{"kind": {"DataType": "String", "StringValue": "book"}}'
    aws("sns", "publish", *to, "--message", "hello", "--message-attributes", kind)
    (message,) = platform.client("sqs").receive_message(QueueUrl=urls["cli-out"], WaitTimeSeconds=20)["Messages"]
    assert message["Body"] == "hello"
    assert "NotFound" in aws("sns", "publish", "--topic-arn", f"{topic}-none", "--message", "x", fails=True)
    assert "NotFoundException" in aws("pipes", "describe-pipe", "--name", "none", fails=True)


PACKAGED = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: code}
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: inner.yaml, Parameters: {Greeting: !Ref Hello}}
Outputs:
  Function: {Value: !Ref Hello}
  Inner: {Value: !GetAtt Inner.Outputs.Host}
"""
INNER = """
Parameters: {Greeting: {Type: String}}
Resources:
  Host:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Ref Greeting}
Outputs:
  Host: {Value: !Ref Host}
"""


def test_a_template_is_packaged_into_a_bucket_deployed_described_and_deleted(aws: Aws, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "app.py").write_text("def handler(event, context):\n    return 'hello'\n")
    (tmp_path / "template.yaml").write_text(PACKAGED)
    (tmp_path / "inner.yaml").write_text(INNER)
    aws("s3", "mb", "s3://aws-cli-artefacts")
    package = ("--template-file", "template.yaml", "--s3-bucket", "aws-cli-artefacts", "--output-template-file")
    aws("cloudformation", "package", *package, "packaged.yaml")
    stack = ("--stack-name", "aws-cli-packaged")
    capabilities = ("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
    deploy = ("cloudformation", "deploy", "--template-file", "packaged.yaml", *stack, *capabilities)
    assert "Successfully created/updated stack" in aws(*deploy)
    (described,) = aws("cloudformation", "describe-stacks", *stack)["Stacks"]
    found = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
    aws("lambda", "invoke", "--function-name", found["Function"], "answer.json")
    assert json.loads((tmp_path / "answer.json").read_text()) == "hello"
    host = aws("ssm", "get-parameter", "--name", found["Inner"])["Parameter"]["Value"]
    assert host == found["Function"]
    events = aws("cloudformation", "describe-stack-events", *stack)["StackEvents"]
    assert {"CREATE_COMPLETE"} <= {one["ResourceStatus"] for one in events}
    aws("cloudformation", "delete-stack", *stack)
    aws("cloudformation", "wait", "stack-delete-complete", *stack)
    assert "does not exist" in aws("cloudformation", "describe-stacks", *stack, fails=True)
