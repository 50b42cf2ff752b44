"""boto3 against a running platform: what is shown here holds from the client's socket to the function's process."""

import base64
import io
import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped

CODE = """
import json, os, sys, time

def handler(event, context):
    what = event.get("do") if isinstance(event, dict) else None
    if what == "raise":
        raise ValueError("no " + event["text"])
    if what == "exit":
        os._exit(3)
    if what == "sleep":
        time.sleep(60)
    if what == "eat":
        held = []
        while True:
            held.append(bytearray(8 << 20))
    if what == "environment":
        return dict(os.environ)
    if what == "context":
        return {
            "name": context.function_name,
            "arn": context.invoked_function_arn,
            "request": context.aws_request_id,
            "stream": context.log_stream_name,
            "group": context.log_group_name,
            "memory": context.memory_limit_in_mb,
            "left": context.get_remaining_time_in_millis(),
        }
    if what == "print":
        print(event["text"])
    if what == "identity":
        import boto3
        return boto3.client("sts").get_caller_identity()["Arn"]
    if what == "big":
        return "x" * event["size"]
    if what == "task":
        return sorted(os.listdir(os.environ["LAMBDA_TASK_ROOT"]))
    return event

def web(event, context):
    if event["rawPath"] == "/echo":
        return event
    return {"statusCode": 202, "headers": {"content-type": "text/html"}, "body": "<p>hello</p>", "cookies": ["a=1"]}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}

Deploy = Callable[..., str]


@pytest.fixture(scope="session")
def role(platform: PlatformProcess) -> str:
    iam = platform.client("iam")
    made = iam.create_role(RoleName=f"runs-{uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST))
    arn: str = made["Role"]["Arn"]
    return arn


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda", read_timeout=60)


@pytest.fixture
def deploy(functions: Any, role: str) -> Iterator[Deploy]:
    """`deploy(Timeout=3)`: the name of a function that runs `CODE`, ready to be invoked; deleted after the test."""
    names = []

    def create(**params: Any) -> str:
        name = f"f-{uuid4().hex[:12]}"
        usual = {
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": role,
            "Code": {"ZipFile": zipped({"app.py": CODE})},
            "Timeout": 20,
        }
        functions.create_function(**{**usual, **params})
        functions.get_waiter("function_active_v2").wait(FunctionName=name)
        names.append(name)
        return name

    yield create
    for name in names:
        functions.delete_function(FunctionName=name)


def invoke(functions: Any, name: str, event: Any, **params: Any) -> Any:
    """The whole reply, with its payload read and parsed."""
    reply = functions.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **params)
    text = reply["Payload"].read()
    return {**reply, "Payload": json.loads(text) if text else None}


def test_a_function_is_created_found_listed_changed_and_deleted(functions: Any, role: str) -> None:
    name = f"f-{uuid4().hex[:12]}"
    created = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped()},
        Environment={"Variables": {"AB": "1"}},
        Tags={"team": "a"},
    )
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    found = functions.get_function(FunctionName=created["FunctionArn"])
    assert found["Configuration"]["Environment"] == {"Variables": {"AB": "1"}}
    assert found["Tags"] == {"team": "a"}
    with urllib.request.urlopen(found["Code"]["Location"]) as package:
        assert zipfile.ZipFile(io.BytesIO(package.read())).namelist() == ["app.py"]
    pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    assert name in [shown["FunctionName"] for page in pages for shown in page["Functions"]]
    functions.update_function_configuration(FunctionName=name, MemorySize=256)
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    functions.update_function_code(FunctionName=name, ZipFile=zipped({"b.py": ""}))
    functions.delete_function(FunctionName=name)
    with pytest.raises(functions.exceptions.ResourceNotFoundException) as error:
        functions.get_function(FunctionName=name)
    assert error.value.response["Error"]["Message"] == f"Function not found: {created['FunctionArn']}"
    assert error.value.response["Type"] == "User"


def test_an_event_comes_back_from_the_function(functions: Any, deploy: Deploy) -> None:
    name = deploy()
    event = {"text": "grüße", "list": [1, None, 2.5]}
    reply = invoke(functions, name, event)
    assert (reply["StatusCode"], reply["ExecutedVersion"], reply["Payload"]) == (200, "$LATEST", event)
    assert "FunctionError" not in reply


def test_the_context_says_who_and_where(functions: Any, deploy: Deploy) -> None:
    name = deploy(MemorySize=200)
    reply = invoke(functions, name, {"do": "context"})
    seen = reply["Payload"]
    assert seen["name"] == name
    assert seen["arn"].endswith(f":function:{name}")
    assert seen["request"] == reply["ResponseMetadata"]["RequestId"]
    assert seen["group"] == f"/aws/lambda/{name}"
    assert "/[$LATEST]" in seen["stream"]
    assert int(seen["memory"]) == 200
    assert 0 < seen["left"] <= 20_000


def test_an_exception_comes_back_with_its_type_and_trace(functions: Any, deploy: Deploy) -> None:
    reply = invoke(functions, deploy(), {"do": "raise", "text": "way"})
    assert reply["FunctionError"] == "Unhandled"
    assert (reply["Payload"]["errorType"], reply["Payload"]["errorMessage"]) == ("ValueError", "no way")
    assert "app.py" in reply["Payload"]["stackTrace"][0]


def test_a_timeout_and_an_exit_are_told_apart_and_the_next_call_works(functions: Any, deploy: Deploy) -> None:
    name = deploy(Timeout=1)
    late = invoke(functions, name, {"do": "sleep"})
    assert late["Payload"]["errorType"] == "Sandbox.Timedout"
    assert late["Payload"]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    gone = invoke(functions, name, {"do": "exit"})
    assert gone["Payload"]["errorType"] == "Runtime.ExitError"
    assert gone["Payload"]["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert invoke(functions, name, {"fine": True})["Payload"] == {"fine": True}


@pytest.mark.root
def test_a_memory_hog_is_out_of_memory(functions: Any, deploy: Deploy) -> None:
    reply = invoke(functions, deploy(), {"do": "eat"})
    assert reply["Payload"]["errorType"] == "Runtime.OutOfMemory"
    assert reply["Payload"]["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")


def test_a_handler_that_is_not_there_names_the_module(functions: Any, deploy: Deploy) -> None:
    reply = invoke(functions, deploy(Handler="nope.handler"), {})
    assert reply["FunctionError"] == "Unhandled"
    assert reply["Payload"]["errorType"] == "Runtime.ImportModuleError"


def test_the_tail_holds_what_was_printed(functions: Any, deploy: Deploy) -> None:
    reply = invoke(functions, deploy(), {"do": "print", "text": "hello, log"}, LogType="Tail")
    tail = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert tail[0].startswith("START RequestId: ")
    assert tail[1] == "hello, log"
    assert tail[2].startswith("END RequestId: ")
    assert tail[3].startswith("REPORT RequestId: ")


def test_logs_can_be_read_in_the_stream_that_the_context_names(
    functions: Any, client: Callable[..., Any], deploy: Deploy
) -> None:
    name = deploy()
    seen = invoke(functions, name, {"do": "context"})["Payload"]
    events = client("logs").get_log_events(
        logGroupName=seen["group"], logStreamName=seen["stream"], startFromHead=True
    )["events"]
    assert events[0]["message"].startswith("INIT_START ")
    assert [event["message"].split()[0] for event in events[-3:]] == ["START", "END", "REPORT"]


def test_a_function_is_its_role(functions: Any, deploy: Deploy, role: str) -> None:
    arn = invoke(functions, deploy(Timeout=60), {"do": "identity"})["Payload"]
    assert isinstance(arn, str), arn
    assert f"assumed-role/{role.rpartition('/')[2]}/" in arn


def test_operations_whose_paths_are_unusual_are_found(functions: Any, deploy: Deploy) -> None:
    name = deploy()
    arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
    statement = {
        "Sid": "a",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": arn,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    put = functions.put_resource_policy(ResourceArn=arn, Policy=document)
    found = functions.get_resource_policy(ResourceArn=arn)
    assert json.loads(found["Policy"])["Statement"] == [statement]
    with pytest.raises(functions.exceptions.PreconditionFailedException):
        functions.delete_resource_policy(ResourceArn=arn, RevisionId=str(uuid4()))
    gone = functions.delete_resource_policy(ResourceArn=arn, RevisionId=put["RevisionId"])
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    accepted = functions.invoke_async(FunctionName=name, InvokeArgs=b"{}")
    assert (accepted["Status"], accepted["ResponseMetadata"]["HTTPStatusCode"]) == (202, 202)
    functions.put_runtime_management_config(FunctionName=name, UpdateRuntimeOn="FunctionUpdate")
    assert functions.get_runtime_management_config(FunctionName=name)["UpdateRuntimeOn"] == "FunctionUpdate"


def test_the_environment_is_the_documented_one(functions: Any, deploy: Deploy) -> None:
    name = deploy(Environment={"Variables": {"MINE": "yes"}})
    seen = invoke(functions, name, {"do": "environment"})["Payload"]
    assert seen["MINE"] == "yes"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "us-east-1"
    assert seen["_HANDLER"] == "app.handler"
    assert seen["AWS_SESSION_TOKEN"]


def test_code_that_was_replaced_runs_at_the_next_call(functions: Any, deploy: Deploy) -> None:
    name = deploy()
    assert invoke(functions, name, 1)["Payload"] == 1
    functions.update_function_code(
        FunctionName=name, ZipFile=zipped({"app.py": "def handler(event, context): return 'new'"})
    )
    assert invoke(functions, name, 1)["Payload"] == "new"


def test_code_comes_from_a_bucket(functions: Any, client: Callable[..., Any], deploy: Deploy) -> None:
    bucket = f"code-{uuid4().hex[:12]}"
    s3 = client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="p.zip", Body=zipped({"app.py": CODE, "from_bucket.txt": ""}))
    name = deploy(Code={"S3Bucket": bucket, "S3Key": "p.zip"})
    assert "from_bucket.txt" in invoke(functions, name, {"do": "task"})["Payload"]


def test_bad_packages_and_payloads_get_awss_errors(functions: Any, deploy: Deploy, role: str) -> None:
    name = deploy()
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="Could not unzip uploaded file"):
        functions.update_function_code(FunctionName=name, ZipFile=b"not a zip")
    with pytest.raises(functions.exceptions.InvalidRequestContentException, match="Could not parse request body"):
        functions.invoke(FunctionName=name, Payload=b"{not json")
    with pytest.raises(functions.exceptions.RequestTooLargeException):
        functions.invoke(FunctionName=name, Payload=b'"' + b"x" * (6 << 20) + b'"')
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.invoke(FunctionName=name, Qualifier="7")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException) as throttle:
        functions.invoke(FunctionName=name)
    assert throttle.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_a_function_that_cannot_be_made_is_refused_in_awss_words(client: Callable[..., Any], role: str) -> None:
    functions = client("lambda", parameter_validation=False)
    usual: dict[str, Any] = {"FunctionName": "never", "Runtime": "python3.11", "Handler": "a.h", "Role": role}
    usual["Code"] = {"ZipFile": zipped()}
    for params, code, message in (
        ({"Runtime": "cobol85"}, "InvalidParameterValueException", "Value cobol85 at 'runtime' failed to satisfy"),
        ({"FunctionName": "no spaces"}, "ValidationException", "at 'functionName' failed to satisfy constraint"),
        ({"Role": f"{role}x"}, "InvalidParameterValueException", "cannot be assumed by Lambda"),
        ({"Timeout": 0}, "ValidationException", "at 'timeout' failed to satisfy constraint"),
        ({"MemorySize": 64}, "ValidationException", "at 'memorySize' failed to satisfy constraint"),
    ):
        with pytest.raises(ClientError) as error:
            functions.create_function(**{**usual, **params})
        assert error.value.response["Error"]["Code"] == code
        assert message in error.value.response["Error"]["Message"]


def test_large_payloads_pass_both_ways(functions: Any, deploy: Deploy) -> None:
    name = deploy(MemorySize=512)
    size = 5 << 20
    assert len(invoke(functions, name, "x" * size)["Payload"]) == size
    too_large = invoke(functions, name, {"do": "big", "size": 7 << 20})
    assert too_large["Payload"]["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_function_url_answers_whoever_asks(functions: Any, deploy: Deploy) -> None:
    name = deploy(Handler="app.web")
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url)
    for sid, permission in (
        ("url", {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}),
        ("run", {"Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True}),
    ):
        functions.add_permission(FunctionName=name, StatementId=sid, Principal="*", **permission)
    with urllib.request.urlopen(url) as page:
        assert (page.status, page.read()) == (202, b"<p>hello</p>")
        assert page.headers["content-type"] == "text/html"
        assert page.headers["set-cookie"] == "a=1"
    asked = urllib.request.Request(f"{url}echo?a=1&a=2", data=b"raw", headers={"Content-Type": "text/plain"})
    with urllib.request.urlopen(asked) as page:
        event = json.loads(page.read())
    assert (event["rawPath"], event["queryStringParameters"], event["body"]) == ("/echo", {"a": "1,2"}, "raw")
    assert event["requestContext"]["http"]["method"] == "POST"


def test_urls_fail_in_awss_words(functions: Any, deploy: Deploy) -> None:
    name = deploy()
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    nowhere = url.replace(url.rstrip("/").rpartition("/")[2], "0" * 32)
    forbidden = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    expected = [(nowhere, 403, '{"Message": null}'), (url, 403, forbidden)]
    for asked, status, text in expected:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=30)
        with refused.value as response:
            assert (response.status, response.headers["x-amzn-errortype"]) == (status, "AccessDeniedException")
            assert text in response.read().decode()
    for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
        functions.add_permission(FunctionName=name, StatementId=action[7:], Action=action, Principal="*")
    functions.update_function_configuration(FunctionName=name, Handler="app.nothing")
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(url, timeout=30)
    with failed.value as response:
        assert (response.status, response.read()) == (502, b"Internal Server Error")


def test_an_iam_url_answers_only_signed_requests(functions: Any, deploy: Deploy, platform: PlatformProcess) -> None:
    url = functions.create_function_url_config(FunctionName=deploy(Handler="app.web"), AuthType="AWS_IAM")[
        "FunctionUrl"
    ]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url)

    def signed(secret: str) -> urllib.request.Request:
        asked = AWSRequest("POST", f"{url}echo?b=2&a=1", data=b"body", headers={"content-type": "text/plain"})
        SigV4Auth(Credentials(platform.access_key_id, secret), "lambda", platform.region).add_auth(asked)
        return urllib.request.Request(str(asked.url), data=b"body", headers=dict(asked.headers), method="POST")

    with urllib.request.urlopen(signed(platform.secret_access_key)) as page:
        event = json.loads(page.read())
    assert event["requestContext"]["authorizer"]["iam"]["accountId"] == platform.account
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(signed("not the secret"))
