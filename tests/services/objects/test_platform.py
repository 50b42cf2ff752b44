"""The whole way on a running platform: an object arrives, a function reads it and writes another."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Client = Callable[..., Any]

CODE = """
import boto3
from urllib.parse import unquote_plus

s3 = boto3.client("s3")

def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        s3.put_object(Bucket=bucket, Key=key.replace("in/", "out/"), Body=body[::-1])
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def function(client: Client) -> Iterator[str]:
    """The ARN of a function whose code came from a bucket."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", CODE)
    s3, functions, iam = client("s3"), client("lambda"), client("iam")
    s3.create_bucket(Bucket="objects-pictures")
    s3.put_object(Bucket="objects-pictures", Key="code.zip", Body=archive.getvalue())
    role = iam.create_role(RoleName="objects-reverser", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    made = functions.create_function(
        FunctionName="objects-reverser",
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Timeout=60,
        Code={"S3Bucket": "objects-pictures", "S3Key": "code.zip"},
    )
    yield made["FunctionArn"]
    functions.delete_function(FunctionName="objects-reverser")


def test_a_function_hears_of_an_object_once_it_is_allowed_to(client: Client, function: str) -> None:
    s3, functions = client("s3"), client("lambda")
    rule = {
        "LambdaFunctionArn": function,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
    }
    request = {
        "Bucket": "objects-pictures",
        "NotificationConfiguration": {"LambdaFunctionConfigurations": [rule]},
    }
    with pytest.raises(s3.exceptions.ClientError, match="Unable to validate the following destination"):
        s3.put_bucket_notification_configuration(**request)
    functions.add_permission(
        FunctionName="objects-reverser",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::objects-pictures",
        SourceAccount="000000000000",
    )
    s3.put_bucket_notification_configuration(**request)
    s3.put_object(Bucket="objects-pictures", Key="in/a b+ü.txt", Body=b"hello")
    waiter = s3.get_waiter("object_exists")
    waiter.wait(Bucket="objects-pictures", Key="out/a b+ü.txt", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert s3.get_object(Bucket="objects-pictures", Key="out/a b+ü.txt")["Body"].read() == b"olleh"
