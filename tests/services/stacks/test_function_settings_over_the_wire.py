"""What templates say of a function's logs, traces, temporary files and runtime; and when they no longer do."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import WaiterError

Client = Callable[..., Any]
WAIT = {"Delay": 1, "MaxAttempts": 60}
SETTINGS = {
    "Tracing": "Active",
    "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "shop/all"},
    "RuntimeManagementConfig": {"UpdateRuntimeOn": "FunctionUpdate"},
    "EphemeralStorage": {"Size": 1024},
}


def template(**settings: Any) -> str:
    function = {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "FunctionName": "set-by-template",
            "Runtime": "python3.11",
            "Handler": "index.handler",
            "InlineCode": "def handler(event, context): return 1",
            **settings,
        },
    }
    return json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": {"Function": function}})


def apply(cloudformation: Any, kind: str, **settings: Any) -> None:
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    change = getattr(cloudformation, f"{kind}_stack")
    change(StackName="settings", TemplateBody=template(**settings), Capabilities=capabilities)
    cloudformation.get_waiter(f"stack_{kind}_complete").wait(StackName="settings", WaiterConfig=WAIT)


def test_settings_follow_their_template(client: Client) -> None:
    cloudformation, functions = client("cloudformation"), client("lambda")

    def found() -> tuple[Any, Any, Any, Any]:
        shown = functions.get_function_configuration(FunctionName="set-by-template")
        managed = functions.get_runtime_management_config(FunctionName="set-by-template")
        return (
            shown["TracingConfig"]["Mode"],
            shown["LoggingConfig"],
            shown["EphemeralStorage"]["Size"],
            managed["UpdateRuntimeOn"],
        )

    apply(cloudformation, "create", **SETTINGS)
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO", "LogGroup": "shop/all"}
    assert found() == ("Active", logging, 1024, "FunctionUpdate")
    apply(cloudformation, "update", LoggingConfig={"LogFormat": "JSON"})
    own = "/aws/lambda/set-by-template"
    json_again = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": own}
    assert found() == ("PassThrough", json_again, 512, "Auto")
    apply(cloudformation, "update")
    assert found() == ("PassThrough", {"LogFormat": "Text", "LogGroup": own}, 512, "Auto")
    with pytest.raises(WaiterError):
        apply(cloudformation, "update", KmsKeyArn="arn:aws:kms:us-east-1:000000000000:key/1")
    events = cloudformation.describe_stack_events(StackName="settings")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]]
    assert any("key management service" in reason for reason in reasons)
    cloudformation.get_waiter("stack_rollback_complete").wait(StackName="settings", WaiterConfig=WAIT)
    cloudformation.delete_stack(StackName="settings")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="settings", WaiterConfig=WAIT)
