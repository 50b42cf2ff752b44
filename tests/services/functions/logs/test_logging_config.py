"""LoggingConfig of CreateFunction and UpdateFunctionConfiguration, and what the platform then writes."""

import json
from typing import Any

import pytest

from mayfly.engine.api import Failure
from tests.services.functions.stage import Stage, failed, ok

TEXT = {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
JSON = {"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/f"}


async def changed(stage: Stage, **logging: str) -> Any:
    reply = await stage.call("UpdateFunctionConfiguration", FunctionName="f", LoggingConfig=logging)
    return reply["LoggingConfig"]


async def records(stage: Stage) -> list[dict[str, Any]]:
    """What was logged, once a call was made."""
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    found = [json.loads(line) for line in stage.records.lines]
    stage.records.events.clear()
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [record["type"].removeprefix("platform.") for record in found]


async def test_json_begins_with_both_levels_at_info(stage: Stage) -> None:
    made = await stage.create(LoggingConfig={"LogFormat": "JSON"})
    assert made["LoggingConfig"] == JSON
    assert (await stage.call("GetFunctionConfiguration", FunctionName="f"))["LoggingConfig"] == JSON


async def test_format_levels_and_group_change_one_by_one(stage: Stage) -> None:
    assert (await stage.create())["LoggingConfig"] == TEXT
    assert await changed(stage, LogFormat="JSON", SystemLogLevel="WARN") == {**JSON, "SystemLogLevel": "WARN"}
    assert await changed(stage, ApplicationLogLevel="TRACE") == {
        **JSON,
        "ApplicationLogLevel": "TRACE",
        "SystemLogLevel": "WARN",
    }
    grouped = await changed(stage, LogGroup="together")
    assert (grouped["LogGroup"], grouped["SystemLogLevel"]) == ("together", "WARN")
    assert await changed(stage, LogFormat="JSON") == {**JSON, "LogGroup": "together"}
    assert await changed(stage, LogFormat="Text") == {"LogFormat": "Text", "LogGroup": "together"}


@pytest.mark.parametrize("logging", [{"LogFormat": "Text", "SystemLogLevel": "WARN"}, {"ApplicationLogLevel": "DEBUG"}])
async def test_text_has_no_levels(stage: Stage, logging: dict[str, str]) -> None:
    await stage.create()
    refused = await stage.refusal("UpdateFunctionConfiguration", FunctionName="f", LoggingConfig=logging)
    assert refused.code == "InvalidParameterValueException"
    assert refused.message == (
        'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the '
        'LogFormat to "JSON" and try again.'
    )


async def test_a_version_logs_as_it_was_published(stage: Stage) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON"}, Publish=True)
    await changed(stage, LogFormat="Text")
    published = await stage.call("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert published["LoggingConfig"] == JSON


async def test_the_platform_writes_records_of_the_telemetry_schema(stage: Stage) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON"})
    init, start, report = await records(stage)
    assert [init["type"], start["type"], report["type"]] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    assert init["record"]["initializationType"] == "on-demand"
    assert init["record"]["functionName"] == "f"
    assert init["record"]["runtimeVersionArn"].startswith("arn:aws:lambda:us-east-1::runtime:")
    assert start["record"] == {"requestId": report["record"]["requestId"], "version": "$LATEST"}
    assert report["record"]["status"] == "success"
    assert report["record"]["metrics"] == {
        "durationMs": 2.345,
        "billedDurationMs": 3,
        "memorySizeMB": 128,
        "maxMemoryUsedMB": 40,
    }
    assert all(record["time"].endswith("Z") for record in (init, start, report))


async def test_the_level_of_the_system_says_which_records_are_written(stage: Stage) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    stage.engine.script = lambda target, call: ok(init_ms=12.5)
    assert kinds(await records(stage)) == [
        *("initStart", "start", "initRuntimeDone", "initReport", "runtimeDone", "report"),
    ]
    await changed(stage, SystemLogLevel="WARN")
    assert await records(stage) == []
    stage.engine.script = lambda target, call: failed(Failure("raised", b'{"errorType": "KeyError"}'))
    done, report = await records(stage)
    assert (done["type"], done["record"]["status"]) == ("platform.runtimeDone", "error")
    assert report["record"]["errorType"] == "KeyError"


async def test_a_call_whose_records_are_not_written_is_metered_all_the_same(stage: Stage) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"})
    assert await records(stage) == []
    assert [usage.outcome for usage in stage.records.usage] == ["ok"]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (Failure("timeout"), [("runtimeDone", "timeout"), ("report", "timeout")]),
        (Failure("exited", exit_status=3), [("fault", None), ("runtimeDone", "failure"), ("report", "failure")]),
        (Failure("out-of-memory"), [("fault", None), ("runtimeDone", "failure"), ("report", "failure")]),
    ],
)
async def test_records_say_how_a_call_ended(
    stage: Stage, failure: Failure, expected: list[tuple[str, str | None]]
) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"})
    stage.engine.script = lambda target, call: failed(failure)
    found = await records(stage)
    told = [(one, record["record"]) for one, record in zip(kinds(found), found, strict=True)]
    assert [(one, record["status"] if isinstance(record, dict) else None) for one, record in told] == expected
    for one, record in told:
        if one == "fault":
            assert "Error: Runtime exited with error" in record


async def test_lines_of_the_function_are_kept_from_the_level_of_the_application_upwards(stage: Stage) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN"})
    low, high = (json.dumps({"level": level, "timestamp": "2026-01-31T00:00:00Z"}) for level in ("info", "error"))
    stage.engine.printed = [low, "plain", high]
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    assert stage.records.lines == ["plain\n", f"{high}\n"]


async def test_extensions_are_told_of_in_records(stage: Stage) -> None:
    await stage.create(LoggingConfig={"LogFormat": "JSON"})
    stage.engine.printed = ["EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]"]
    extension = (await records(stage))[2]
    assert extension["type"] == "platform.extension"
    assert extension["record"] == {"name": "agent", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}


async def test_programs_are_told_of_format_and_level(stage: Stage) -> None:
    await stage.create(
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"},
        Environment={"Variables": {"AWS_LAMBDA_LOG_LEVEL": "DEBUG"}},
    )
    await stage.call("Invoke", FunctionName="f", Payload=b"{}")
    variables = await stage.engine.calls[0][0].environment("i-2")
    assert (variables["AWS_LAMBDA_LOG_FORMAT"], variables["AWS_LAMBDA_LOG_LEVEL"]) == ("JSON", "ERROR")


async def test_streams_in_a_group_of_several_functions_are_named_after_them(stage: Stage) -> None:
    for name in ("one", "two"):
        await stage.create(name, LoggingConfig={"LogGroup": "together"})
    for name in ("one", "two"):
        await stage.call("Invoke", FunctionName=name, Payload=b"{}")
        stage.engine.recorder.forget("i-1")
    streams = {(event.group, event.stream.split("/")[-1].partition("]")[0]) for event in stage.records.events}
    assert streams == {("together", "one[$LATEST"), ("together", "two[$LATEST")}
