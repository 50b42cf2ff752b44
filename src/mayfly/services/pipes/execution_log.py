"""A pipe's own log: what became of each execution, in the log group and at the level that its configuration says."""

import json
from typing import Any

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.contract import ServiceError
from mayfly.services.pipes.model import Pipe
from mayfly.services.pipes.names import Home
from mayfly.services.ports import CallRecords, LogLines

_LEVELS = ("OFF", "ERROR", "INFO", "TRACE")
_MAX_PAYLOAD = 200_000


class ExecutionLog:
    """Writes, or not."""

    def __init__(self, pipe: Pipe, home: Home, records: CallRecords, clock: Clock) -> None:
        destination: dict[str, str] = pipe.log.get("CloudwatchLogsLogDestination", {})
        self._group = destination.get("LogGroupArn", "").split(":log-group:", 1)[-1].removesuffix(":*")
        self._level = _LEVELS.index(pipe.log.get("Level", "OFF")) if self._group else 0
        self._with_data = "ALL" in pipe.log.get("IncludeExecutionData", ())
        self._arn = home.arn(pipe.name)
        self._stream = pipe.name
        self._records = records
        self._clock = clock

    def write(
        self, level: str, kind: str, execution: str, payload: Any = None, error: ServiceError | None = None
    ) -> None:
        """Log one step, if its level is asked for. A log that cannot be written does not stop the pipe."""
        if _LEVELS.index(level) > self._level:
            return
        now_ms = int(self._clock.now() * 1000)
        line: dict[str, Any] = {
            "resourceArn": self._arn,
            "timestamp": now_ms,
            "executionId": execution,
            "messageType": kind,
            "logLevel": level,
        }
        if error is not None:
            line["error"] = {"message": error.message, "code": error.code}
        if payload is not None and self._with_data:
            text = json.dumps(payload, separators=(",", ":"))
            line["payload"], line["truncatedFields"] = text[:_MAX_PAYLOAD], ["payload"] * (len(text) > _MAX_PAYLOAD)
        try:
            self._records.append([LogLines(self._group, self._stream, [(now_ms, json.dumps(line))])], [])
        except MayflyError:
            return
