"""Functions with `TenancyConfig`, with boto3 against a running platform."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mayfly.cli.connection import connect
from tests.conftest import PlatformProcess
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures


CODE = """
import os, uuid

instance, served = uuid.uuid4().hex, []

def handler(event, context):
    served.append(context.tenant_id)
    if event.get("die"):
        os._exit(1)
    print("tenant", context.tenant_id)
    return {"instance": instance, "served": served, "variables": "tenant" in str(os.environ).lower()}
"""
PER_TENANT = {"TenantIsolationMode": "PER_TENANT"}


@pytest.fixture
def tenants(deploy: Deploy) -> str:
    return deploy(Code={"ZipFile": zipped({"app.py": CODE})}, TenancyConfig=PER_TENANT)


def ask(functions: Any, name: str, tenant: str, event: Any = None) -> Any:
    reply = functions.invoke(FunctionName=name, TenantId=tenant, Payload=json.dumps(event or {}).encode())
    return json.loads(reply["Payload"].read())


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_every_tenant_has_instances_of_its_own_also_when_all_come_at_once_and_some_die(
    functions: Any, tenants: str
) -> None:
    def several(number: int) -> list[Any]:
        tenant = f"tenant {number % 5}"
        ask(functions, tenants, tenant)
        if number % 4 == 0:
            ask(functions, tenants, tenant, {"die": True})
        return [ask(functions, tenants, tenant) for _ in range(3)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for answers in pool.map(several, range(15)) for answer in answers]

    by_instance: dict[str, set[str]] = {}
    for answer in answers:
        by_instance.setdefault(answer["instance"], set()).update(answer["served"])
        assert answer["variables"] is False
    assert all(len(served) == 1 for served in by_instance.values())
    assert {tenant for served in by_instance.values() for tenant in served} == {f"tenant {n}" for n in range(5)}


def test_a_call_says_who_the_tenant_is_if_and_only_if_the_function_asks_for_it(
    functions: Any, deploy: Deploy, tenants: str
) -> None:
    plain = deploy()
    shown = functions.get_function_configuration(FunctionName=tenants)
    assert shown["TenancyConfig"] == PER_TENANT
    assert "TenancyConfig" not in functions.get_function_configuration(FunctionName=plain)
    for kind in ("RequestResponse", "Event", "DryRun"):
        assert refusal(functions.invoke, FunctionName=tenants, InvocationType=kind) == (
            "InvalidParameterValueException",
            "The invoked function is enabled with tenancy configuration. "
            "Add a valid tenant ID in your request and try again.",
        )
    code, message = refusal(functions.invoke, FunctionName=plain, TenantId="blue")
    assert (code, message.partition(".")[0]) == (
        "InvalidParameterValueException",
        "The invoked function is not enabled with tenancy configuration",
    )
    assert refusal(functions.invoke_with_response_stream, FunctionName=tenants)[0] == "InvalidParameterValueException"
    for bad in ("a" * 257, "ümlaut"):
        code, _ = refusal(functions.invoke, FunctionName=tenants, TenantId=bad)
        assert code in ("ValidationException", "InvalidParameterValueException")


def test_what_would_run_code_for_nobody_is_refused(
    functions: Any, deploy: Deploy, tenants: str, client: Callable[..., Any]
) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName=f"of-{tenants}")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    version = functions.publish_version(FunctionName=tenants)["Version"]
    for call, what, params in (
        (functions.create_function_url_config, "A function URL", {"AuthType": "NONE"}),
        (functions.create_event_source_mapping, "An event source mapping", {"EventSourceArn": queue_arn}),
        (functions.update_function_configuration, "SnapStart", {"SnapStart": {"ApplyOn": "PublishedVersions"}}),
        (
            functions.put_provisioned_concurrency_config,
            "Provisioned Concurrency",
            {"Qualifier": version, "ProvisionedConcurrentExecutions": 1},
        ),
        (
            functions.put_function_scaling_config,
            "FunctionScalingConfig",
            {"Qualifier": version, "FunctionScalingConfig": {"MinExecutionEnvironments": 1}},
        ),
    ):
        assert refusal(call, FunctionName=tenants, **params) == (
            "InvalidParameterValueException",
            f"{what} is not supported for functions with tenant isolation mode.",
        )
    assert ask(functions, f"{tenants}:{version}", "blue")["served"] == ["blue"]


def test_streamed_and_asynchronous_calls_run_on_the_tenants_instances_and_usage_is_told_by_tenant(
    functions: Any, tenants: str, client: Callable[..., Any], platform: PlatformProcess
) -> None:
    first = ask(functions, tenants, "blue")
    stream = functions.invoke_with_response_stream(FunctionName=tenants, TenantId="blue", Payload=b"{}")
    parts = [event["PayloadChunk"]["Payload"] for event in stream["EventStream"] if "PayloadChunk" in event]
    assert json.loads(b"".join(parts))["instance"] == first["instance"]
    functions.invoke(FunctionName=tenants, TenantId="red", InvocationType="Event", Payload=b"{}")

    logs, deadline = client("logs"), time.monotonic() + 60
    lines: list[str] = []
    while "tenant red\n" not in lines and time.monotonic() < deadline:
        page = logs.filter_log_events(logGroupName=f"/aws/lambda/{tenants}")
        lines = [event["message"] for event in page["events"]]
    assert lines.count("tenant blue\n") == 2
    assert lines.count("tenant red\n") == 1
    while time.monotonic() < deadline:
        found = connect(platform.data).get("/_mayfly/usage?by=tenant")["functions"]
        counts = {line["tenant"]: line["requests"] for line in found if line["function"].startswith(tenants)}
        if counts == {"blue": 2, "red": 1}:
            break
    assert counts == {"blue": 2, "red": 1}


def test_json_logs_of_the_platform_and_of_code_name_the_tenant(
    functions: Any, deploy: Deploy, client: Callable[..., Any]
) -> None:
    source = "import logging\ndef handler(event, context):\n    logging.getLogger().warning('here')\n"
    name = deploy(
        Code={"ZipFile": zipped({"app.py": source})}, TenancyConfig=PER_TENANT, LoggingConfig={"LogFormat": "JSON"}
    )
    ask(functions, name, "blue")
    records: list[Any] = []
    deadline = time.monotonic() + 60
    while not any(record.get("type") == "platform.report" for record in records) and time.monotonic() < deadline:
        page = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")
        records = [json.loads(event["message"]) for event in page["events"]]
    told = {record["type"]: record["record"].get("tenantId") for record in records if "type" in record}
    assert (told["platform.start"], told["platform.report"]) == ("blue", "blue")
    assert [record["tenantId"] for record in records if record.get("message") == "here"] == ["blue"]
