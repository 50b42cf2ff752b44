"""Versions, aliases and provisioned concurrency with boto3 against a running platform, and after its sudden death."""

import json
import os
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.conftest import PlatformProcess, start_platform
from tests.services.functions.stage import zipped

CODE = """
import os
print("init of", os.environ["AWS_LAMBDA_FUNCTION_VERSION"])

def handler(event, context):
    if event == "leave":
        os._exit(3)
    return {
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "stream": context.log_stream_name,
        "started": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "stage": os.environ.get("STAGE"),
        "pid": os.getpid(),
    }

def web(event, context):
    return {"statusCode": 200, "body": context.function_version}
"""
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}


def create(running: PlatformProcess, **params: Any) -> str:
    """The name of a function with two versions, which differ in the variable STAGE."""
    name = f"v-{uuid4().hex[:12]}"
    iam, functions = running.client("iam"), running.client("lambda")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    usual = {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": role,
        "Code": {"ZipFile": zipped({"app.py": CODE})},
        "Timeout": 20,
        "Environment": {"Variables": {"STAGE": "one"}},
        "Publish": True,
    }
    functions.create_function(**{**usual, **params})
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="1")
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"STAGE": "two"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    functions.publish_version(FunctionName=name)
    return name


@pytest.fixture
def function(platform: PlatformProcess) -> Iterator[str]:
    name = create(platform)
    yield name
    platform.client("lambda").delete_function(FunctionName=name)


@pytest.fixture
def functions(client: Callable[..., Any]) -> Any:
    return client("lambda", read_timeout=60)


def run(functions: Any, name: str, qualifier: str, event: Any = None) -> tuple[str, Any]:
    reply = functions.invoke(FunctionName=name, Qualifier=qualifier, Payload=json.dumps(event))
    return reply["ExecutedVersion"], json.load(reply["Payload"])


def ready(functions: Any, name: str, qualifier: str) -> Any:
    """The provisioned concurrency once it is no more in progress."""
    deadline = time.monotonic() + 60
    while True:
        found = functions.get_provisioned_concurrency_config(FunctionName=name, Qualifier=qualifier)
        if found["Status"] != "IN_PROGRESS":
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_versions_and_aliases_run_what_they_lead_to(functions: Any, function: str, client: Callable[..., Any]) -> None:
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    for qualifier, version, stage in (("1", "1", "one"), ("2", "2", "two"), ("live", "1", "one")):
        executed, seen = run(functions, function, qualifier)
        assert (executed, seen["version"], seen["stage"]) == (version, version, stage)
        assert seen["arn"].endswith(f":function:{function}:{qualifier}")
        assert f"/[{version}]" in seen["stream"]
    assert streams(client("logs"), function) == {"1", "2"}


def test_every_waiter_of_the_sdk_sees_what_it_waits_for(functions: Any, function: str) -> None:
    functions.get_waiter("function_exists").wait(FunctionName=function)
    for waiter in ("function_active", "function_active_v2", "function_updated", "function_updated_v2"):
        for qualifier in ({}, {"Qualifier": "1"}, {"Qualifier": "$LATEST"}):
            functions.get_waiter(waiter).wait(
                FunctionName=function, WaiterConfig={"Delay": 0, "MaxAttempts": 1}, **qualifier
            )
    functions.get_waiter("published_version_active").wait(
        FunctionName=function, Qualifier="2", WaiterConfig={"Delay": 0, "MaxAttempts": 1}
    )
    with pytest.raises(WaiterError):
        functions.get_waiter("function_exists").wait(FunctionName="none", WaiterConfig={"Delay": 0, "MaxAttempts": 1})


def test_preconditions_and_dry_runs_change_nothing(functions: Any, function: str) -> None:
    before = functions.get_function_configuration(FunctionName=function)
    other = zipped({"app.py": "def handler(event, context): return 'other'"})
    dry = functions.update_function_code(FunctionName=function, ZipFile=other, DryRun=True, Publish=True)
    assert dry["CodeSha256"] != before["CodeSha256"]
    for call, params in (
        ("update_function_code", {"ZipFile": other}),
        ("update_function_configuration", {"Timeout": 9}),
        ("publish_version", {}),
    ):
        with pytest.raises(functions.exceptions.PreconditionFailedException):
            getattr(functions, call)(FunctionName=function, RevisionId="another", **params)
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="CodeSHA256"):
        functions.publish_version(FunctionName=function, CodeSha256=dry["CodeSha256"])
    assert functions.get_function_configuration(FunctionName=function) | {"ResponseMetadata": 0} == before | {
        "ResponseMetadata": 0
    }
    assert len(functions.list_versions_by_function(FunctionName=function)["Versions"]) == 3
    functions.update_function_code(FunctionName=function, ZipFile=other, RevisionId=before["RevisionId"])
    functions.get_waiter("function_updated_v2").wait(FunctionName=function)
    published = functions.publish_version(FunctionName=function, CodeSha256=dry["CodeSha256"])
    assert published["Version"] == "3"


def test_lists_come_page_by_page(functions: Any, function: str) -> None:
    for name in ("a", "b", "c"):
        functions.create_alias(FunctionName=function, Name=name, FunctionVersion="1")
        functions.put_function_event_invoke_config(FunctionName=function, Qualifier=name, MaximumRetryAttempts=0)
    for operation, member, key, expected in (
        ("list_aliases", "Aliases", "AliasArn", ["a", "b", "c"]),
        ("list_versions_by_function", "Versions", "FunctionArn", ["$LATEST", "1", "2"]),
        ("list_function_event_invoke_configs", "FunctionEventInvokeConfigs", "FunctionArn", ["a", "b", "c"]),
    ):
        pages = functions.get_paginator(operation).paginate(FunctionName=function, PaginationConfig={"PageSize": 2})
        seen = [[each[key].rpartition(":")[2] for each in page[member]] for page in pages]
        assert seen == [expected[:2], expected[2:]]


def test_what_the_model_forbids_is_refused_in_its_words(functions: Any, function: str) -> None:
    def refused(**params: Any) -> str:
        with pytest.raises(ClientError) as caught:
            functions.create_alias(FunctionName=function, FunctionVersion="1", **params)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return str(caught.value.response["Error"]["Message"])

    assert "(?!^[0-9]+$)([a-zA-Z0-9-_]+)" in refused(Name="2024")
    for weights in ({"2": 2.0}, {"$LATEST": 0.5}):
        assert "additionalVersionWeights" in refused(Name="n", RoutingConfig={"AdditionalVersionWeights": weights})


def test_a_canary_gets_its_share(functions: Any, function: str) -> None:
    weights = {"AdditionalVersionWeights": {"2": 0.25}}
    made = functions.create_alias(FunctionName=function, Name="canary", FunctionVersion="1", RoutingConfig=weights)
    assert made["RoutingConfig"] == weights
    counts = Counter(run(functions, function, "canary")[0] for _ in range(80))
    assert counts.keys() == {"1", "2"}
    assert abs(counts["2"] - 20) <= 4


def test_an_aliass_url_answers_with_its_version(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, Handler="app.web")
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    url = functions.create_function_url_config(FunctionName=name, Qualifier="live", AuthType="NONE")["FunctionUrl"]
    common = {"FunctionName": name, "Qualifier": "live", "Principal": "*"}
    functions.add_permission(**common, StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    functions.add_permission(**common, StatementId="call", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    for version in ("1", "2"):
        functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        with urllib.request.urlopen(url, timeout=60) as reply:
            assert reply.read().decode() == version
    functions.delete_function(FunctionName=name)


def test_provisioned_instances_are_there_before_the_first_call(functions: Any, function: str) -> None:
    put = functions.put_provisioned_concurrency_config(
        FunctionName=function, Qualifier="2", ProvisionedConcurrentExecutions=2
    )
    assert put["Status"] == "IN_PROGRESS"
    found = ready(functions, function, "2")
    assert (found["Status"], found["AllocatedProvisionedConcurrentExecutions"]) == ("READY", 2)
    executed, seen = run(functions, function, "2")
    assert (executed, seen["started"]) == ("2", "provisioned-concurrency")

    gone = functions.invoke(FunctionName=function, Qualifier="2", Payload='"leave"')
    assert gone["FunctionError"] == "Unhandled"
    assert ready(functions, function, "2")["AvailableProvisionedConcurrentExecutions"] == 2
    (listed,) = functions.list_provisioned_concurrency_configs(FunctionName=function)["ProvisionedConcurrencyConfigs"]
    assert listed["FunctionArn"].endswith(f":function:{function}:2")
    functions.delete_provisioned_concurrency_config(FunctionName=function, Qualifier="2")
    with pytest.raises(ClientError, match="No Provisioned Concurrency Config found for this function"):
        functions.get_provisioned_concurrency_config(FunctionName=function, Qualifier="2")


def test_init_that_fails_is_said_of_provisioned_concurrency(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, Code={"ZipFile": zipped({"app.py": "raise ValueError('no')"})})
    functions.put_provisioned_concurrency_config(FunctionName=name, Qualifier="1", ProvisionedConcurrentExecutions=1)
    found = ready(functions, name, "1")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")
    functions.delete_function(FunctionName=name)


def test_a_version_with_snap_start_becomes_active_and_runs(functions: Any, platform: PlatformProcess) -> None:
    name = create(platform, SnapStart={"ApplyOn": "PublishedVersions"})
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier="2")
    for version in ("1", "2"):
        shown = functions.get_function_configuration(FunctionName=name, Qualifier=version)
        assert shown["State"] == "Active"
        executed, seen = run(functions, name, version)
        assert (executed, seen["started"]) == (version, "snap-start")
    assert functions.get_function_configuration(FunctionName=name)["SnapStart"]["OptimizationStatus"] == "Off"
    functions.delete_function(FunctionName=name)


def test_a_reservation_that_is_all_provisioned_leaves_the_rest_nothing(functions: Any, function: str) -> None:
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    functions.put_provisioned_concurrency_config(
        FunctionName=function, Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    assert ready(functions, function, "1")["Status"] == "READY"
    assert run(functions, function, "1")[0] == "1"
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName=function)
    answer: Any = refused.value.response
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_objects_notify_the_version_behind_an_alias(functions: Any, function: str, client: Callable[..., Any]) -> None:
    alias = functions.create_alias(FunctionName=function, Name="live", FunctionVersion="2")["AliasArn"]
    s3, logs, bucket = client("s3"), client("logs"), f"{function}-objects"
    s3.create_bucket(Bucket=bucket)
    notification = {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": alias, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(ClientError):
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)
    functions.add_permission(
        FunctionName=function,
        Qualifier="live",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)
    s3.put_object(Bucket=bucket, Key="picture", Body=b"1")
    deadline = time.monotonic() + 60
    while not (found := streams(logs, function)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert found == {"2"}


def streams(logs: Any, function: str) -> set[str]:
    """The versions that a function's log streams are of."""
    groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{function}")["logGroups"]
    if not groups:
        return set()
    found = logs.describe_log_streams(logGroupName=groups[0]["logGroupName"])["logStreams"]
    return {stream["logStreamName"].partition("[")[2].partition("]")[0] for stream in found}


def test_all_of_it_survives_the_servers_sudden_death(tmp_path: Path) -> None:
    server, running = start_platform(tmp_path / "data")
    functions = running.client("lambda", read_timeout=60)
    name = create(running)
    functions.create_alias(
        FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 1.0}}
    )
    functions.create_alias(FunctionName=name, Name="warm", FunctionVersion="1")
    functions.put_provisioned_concurrency_config(FunctionName=name, Qualifier="warm", ProvisionedConcurrentExecutions=2)
    os.kill(server.pid, signal.SIGKILL)
    server.wait(60)

    server, running = start_platform(tmp_path / "data")
    try:
        functions = running.client("lambda", read_timeout=60)
        assert ready(functions, name, "warm")["AvailableProvisionedConcurrentExecutions"] == 2
        assert run(functions, name, "warm")[1]["started"] == "provisioned-concurrency"
        assert run(functions, name, "live")[0] == "2"
        listed = functions.list_versions_by_function(FunctionName=name)["Versions"]
        assert [each["Version"] for each in listed] == ["$LATEST", "1", "2"]
    finally:
        server.terminate()
        assert server.wait(60) == 0
