"""What telemetry tells of the life of a program's instance: init, calls, and what they took. Used by `program`."""

import math
from collections.abc import Callable, Mapping

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.runtime_api.invocation import Invocation
from mayfly.runtime_api.telemetry import Telemetry

_MIB = 1 << 20


class Chronicle:
    """Of one instance. Each method is told of one thing, once; `peak` is asked for the most memory used, in bytes."""

    def __init__(self, telemetry: Telemetry, target: Target, clock: Clock) -> None:
        self._telemetry = telemetry
        self._target = target
        self._clock = clock
        self._kind = "on-demand"
        self._version = ""
        self._began_at = 0.0
        self._runtime_initialized: dict[str, object] | None = None  # how, once it is
        self._initialized = False
        self._init_ms: float | None = None
        self._invocation: Invocation | None = None
        self._started_at = 0.0
        self._answered_ms: float | None = None
        self._produced = 0
        self._status, self._error_type = "success", ""
        self._runtime_done = False

    def init_begins(self, environment: Mapping[str, str]) -> None:
        self._kind = environment.get("AWS_LAMBDA_INITIALIZATION_TYPE", self._kind)
        self._version = environment.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self._began_at = self._clock.monotonic()
        self._init(
            "initStart",
            functionName=environment.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            functionVersion=self._version,
            instanceId=environment.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
            instanceMaxMemory=self._target.sandbox.memory_mb * _MIB,
        )

    def runtime_initialized(self, status: str = "success", error_type: str = "") -> None:
        """The runtime is ready, or is known to have failed; what comes first counts."""
        if self._runtime_initialized is None:
            self._runtime_initialized = {"status": status, **({"errorType": error_type} if error_type else {})}
            self._init("initRuntimeDone", **self._runtime_initialized)

    def initialized(self) -> None:
        """Init is over, well or not."""
        assert self._runtime_initialized is not None
        self._initialized = True
        self._init_ms = self._since(self._began_at)
        self._init("initReport", **self._runtime_initialized, metrics={"durationMs": self._init_ms})

    def _init(self, what: str, **more: object) -> None:
        record = {"initializationType": self._kind, "phase": "init", **more}
        self._telemetry.emit("platform", f"platform.{what}", record)

    def call_begins(self, invocation: Invocation) -> None:
        if not self._telemetry.heeded:
            return  # and nothing is told of this call from here on
        self._invocation = invocation
        self._started_at = self._clock.monotonic()
        self._answered_ms, self._runtime_done, self._produced = None, False, 0
        self._status, self._error_type = "success", ""
        self._telemetry.emit("platform", "platform.start", self._of_call(version=self._version))

    def answered(self, size: int) -> None:
        if self._invocation is None:
            return
        self._answered_ms = self._since(self._started_at)
        self._produced += size

    def failed(self, error_type: str) -> None:
        if self._invocation is None:
            return
        self._answered_ms = self._since(self._started_at)
        self._status, self._error_type = "error", error_type or "Runtime.Unknown"

    def runtime_is_done(self) -> None:
        """It has asked for its next call."""
        if self._invocation is None or self._runtime_done:
            return
        self._runtime_done = True
        metrics = {"durationMs": self._since(self._started_at), "producedBytes": self._produced}
        self._telemetry.emit("platform", "platform.runtimeDone", self._of_call(**self._how(), metrics=metrics))

    def call_is_over(self, peak: Callable[[], int]) -> None:
        """Extensions are done with it, too."""
        if self._invocation is None:
            return
        self.runtime_is_done()
        took_ms = self._since(self._started_at)
        metrics: dict[str, object] = {
            "durationMs": took_ms,
            "billedDurationMs": max(1, math.ceil(took_ms)),
            "memorySizeMB": self._target.sandbox.memory_mb,
            "maxMemoryUsedMB": min(self._target.sandbox.memory_mb, -(-peak() // _MIB)),
        }
        if self._init_ms is not None:
            metrics["initDurationMs"], self._init_ms = self._init_ms, None
        self._telemetry.emit("platform", "platform.end", {"requestId": self._invocation.request_id})
        self._telemetry.emit("platform", "platform.report", self._of_call(**self._how(), metrics=metrics))
        self._invocation = None

    def ends(self, reason: str, peak: Callable[[], int]) -> None:
        """The instance does, and with it its init, or the call that it runs."""
        if not self._initialized:
            self.runtime_initialized(*(("timeout", "") if reason == "TIMEOUT" else ("error", "Runtime.ExitError")))
            self.initialized()
        if self._invocation is not None:
            if self._answered_ms is None:
                self._status = "timeout" if reason == "TIMEOUT" else "failure"
                self._error_type = "" if reason == "TIMEOUT" else "Runtime.ExitError"
            self.call_is_over(peak)

    def _of_call(self, **more: object) -> dict[str, object]:
        assert self._invocation is not None
        record: dict[str, object] = {"requestId": self._invocation.request_id, **more}
        if self._invocation.trace_id:
            record["tracing"] = {"type": "X-Amzn-Trace-Id", "value": self._invocation.trace_id}
        if self._invocation.tenant:
            record["tenantId"] = self._invocation.tenant
        return record

    def _how(self) -> dict[str, object]:
        failed = {"errorType": self._error_type} if self._error_type else {}
        return {"status": self._status, **failed}

    def _since(self, then: float) -> float:
        return round((self._clock.monotonic() - then) * 1000, 3)
