"""The platform's lines in a log that is JSON: records of AWS's Telemetry API, one object a line. Pure.

Each kind of record has a level, by its kind and by whether it tells of success; those below SystemLogLevel are not
written. Called by the `Recorder`, in the place of `report`.
"""

import re
from collections.abc import Mapping

import msgspec

from mayfly.clock import iso_millis
from mayfly.engine.api import Call, Failure, Outcome, Phase
from mayfly.services.functions import report, results, tracing
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.logs import levels

_ORDER = {"DEBUG": 0, "INFO": 1, "WARN": 2}
_MIB = 1 << 20
# The line by which the engine tells of an extension, as `engine.program` writes it.
_EXTENSION = re.compile(
    r"EXTENSION\tName: (?P<name>[^\t]+)\tState: (?P<state>\w+)\t"
    r"Events: \[(?P<events>[^]]*)\](\tError Type: (?P<error>.+))?"
)

Event = tuple[int, str]  # Unix milliseconds, text


def introduction(target: FunctionTarget, stream: str, version_arn: str, at: float, *, restored: bool) -> list[Event]:
    """The first records of an instance; `version_arn`: of its runtime, empty where the code brings one."""
    about: dict[str, object] = {
        "initializationType": target.initialization,
        "phase": "init",
        "functionName": target.name,
        "functionVersion": target.version,
        "instanceId": stream,
        "instanceMaxMemory": target.sandbox.memory_mb * _MIB,
    }
    if version_arn:
        about["runtimeVersion"] = target.sandbox.runtime or target.runtime
        about["runtimeVersionArn"] = version_arn
    kind = "platform.restoreStart" if restored else "platform.initStart"
    found = _record(target, at, kind, "INFO" if version_arn else "DEBUG", about)
    if target.notice:
        found += _record(target, at, "mayfly.notice", "WARN", {"message": target.notice})
    return found


def init_report(
    target: FunctionTarget,
    took_ms: float,
    failure: Failure | None,
    at: float,
    *,
    restored: bool,
    phase: Phase = "init",
) -> list[Event]:
    """The end of an init, or of a restore."""
    status = _status(failure)
    metrics = {"metrics": {"durationMs": round(took_ms, 3)}}
    if restored:
        return [
            *_record(target, at, "platform.restoreRuntimeDone", _unless_well(failure, "DEBUG"), status),
            *_record(target, at, "platform.restoreReport", _unless_well(failure, "INFO"), {**status, **metrics}),
        ]
    how = {"initializationType": target.initialization, "phase": phase, **status}
    usual = "DEBUG" if target.initialization == "on-demand" else "INFO"
    return [
        *_record(target, at, "platform.initRuntimeDone", _unless_well(failure, "DEBUG"), how),
        *_record(target, at, "platform.initReport", _unless_well(failure, usual), {**how, **metrics}),
    ]


def start(target: FunctionTarget, call: Call, at: float) -> list[Event]:
    about = {"requestId": call.request_id, "version": target.version, **_tenant(target), **_tracing(target, call)}
    return _record(target, at, "platform.start", "INFO", about)


def endings(target: FunctionTarget, call: Call, outcome: Outcome, took: report.Figures, at: float) -> list[Event]:
    """The last records of a call; before them, of the init that it waited for."""
    failure, found = outcome.failure, list[Event]()
    if failure is not None and failure.kind in ("restore-raised", "restore-timeout"):
        found += init_report(target, outcome.init_ms or 0.0, failure, at, restored=True)
    elif took.init_ms is not None:
        spoiled = failure if failure is not None and failure.kind in ("init-raised", "init-timeout") else None
        found += init_report(target, took.init_ms, spoiled, at, restored=False)
    if failure is not None and (cause := _fault(failure, call.request_id, target.timeout_s)) is not None:
        found += _record(target, at, "platform.fault", "WARN", cause)
    about = {"requestId": call.request_id, **_status(failure), **_tenant(target), **_tracing(target, call)}
    done = {"durationMs": round(took.duration_ms, 3), "producedBytes": len(outcome.payload)}
    metrics: dict[str, object] = {
        "durationMs": round(took.duration_ms, 3),
        "billedDurationMs": took.billed_ms,
        "memorySizeMB": target.sandbox.memory_mb,
        "maxMemoryUsedMB": took.peak_memory_mb,
    }
    if took.init_ms is not None:
        metrics["initDurationMs"] = round(took.init_ms, 3)
    if took.restore_ms is not None:
        metrics["restoreDurationMs"] = round(took.restore_ms, 3)
        metrics["billedRestoreDurationMs"] = took.billed_restore_ms
    return [
        *found,
        *_record(target, at, "platform.runtimeDone", _unless_well(failure, "DEBUG"), {**about, "metrics": done}),
        *_record(target, at, "platform.report", _unless_well(failure, "INFO"), {**about, "metrics": metrics}),
    ]


def printed(target: FunctionTarget, lines: list[tuple[float, str]]) -> list[Event]:
    """What is kept of what an instance printed."""
    assert target.logs is not None
    least, found = target.logs.application, list[Event]()
    for at, line in lines:
        extension = _EXTENSION.fullmatch(line) if line.startswith("EXTENSION\t") else None
        if extension is not None:
            found += _extension(target, at, extension)
        elif levels.kept(line, least):
            found.append((int(at * 1000), f"{line}\n"))
    return found


def _extension(target: FunctionTarget, at: float, said: re.Match[str]) -> list[Event]:
    events = [event for event in said["events"].split(", ") if event]
    about: dict[str, object] = {"name": said["name"], "state": said["state"], "events": events}
    if said["error"]:
        about["errorType"] = said["error"]
    return _record(target, at, "platform.extension", "WARN" if said["error"] else "INFO", about)


def _record(target: FunctionTarget, at: float, kind: str, level: str, about: object) -> list[Event]:
    """One record, or none where its level is below what the function wants."""
    assert target.logs is not None
    if _ORDER[level] < _ORDER[target.logs.system]:
        return []
    text = msgspec.json.encode({"time": iso_millis(at), "type": kind, "record": about}).decode()
    return [(int(at * 1000), f"{text}\n")]


def _unless_well(failure: Failure | None, usual: str) -> str:
    return usual if failure is None else "WARN"


def _status(failure: Failure | None) -> Mapping[str, object]:
    if failure is None:
        return {"status": "success"}
    if failure.kind in ("timeout", "init-timeout", "restore-timeout"):
        return {"status": "timeout"}
    spoken = failure.kind in ("raised", "init-raised", "restore-raised")
    return {"status": "error" if spoken else "failure", "errorType": report.named_type(failure)}


def _fault(failure: Failure, request_id: str, timeout_s: float) -> str | None:
    """Why the platform ended the call, in words; None when the record of its end says it, or the runtime did."""
    if failure.kind in ("timeout", "init-timeout", "restore-timeout"):
        return None
    if failure.kind in ("raised", "init-raised", "restore-raised") and not failure.error_type:
        return None
    return f"RequestId: {request_id} Error: {results.cause(failure, timeout_s)}"


def _tenant(target: FunctionTarget) -> Mapping[str, object]:
    return {"tenantId": target.tenant} if target.tenant else {}


def _tracing(target: FunctionTarget, call: Call) -> Mapping[str, object]:
    return tracing.record(call.trace_id) if target.traced else {}
