"""What is kept of a request after it was answered: a line of the access log, the execution log, metrics."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import Clock
from mayfly.errors import MayflyError, PlatformError
from mayfly.services.apis.rest.serving import refusals
from mayfly.services.apis.rest.serving.arrival import Arrival
from mayfly.services.contract import ByteStream, HttpResponse, StreamBody
from mayfly.services.ports import CallRecords, LogLines, MetricCounts

_log = logging.getLogger(__name__)

NAMESPACE = "AWS/ApiGateway"


class Noting:
    """Writes it down."""

    def __init__(self, records: CallRecords, counts: MetricCounts, clock: Clock) -> None:
        self._records = records
        self._counts = counts
        self._clock = clock
        self._stream = ids.digits(32)

    def noted(self, arrival: Arrival, response: HttpResponse) -> HttpResponse:
        """The response; it is written down now, or when the last of its parts was sent or did not come."""
        if isinstance(response.body, bytes):
            self._note(arrival, response, len(response.body))
            return response
        return replace(response, body=StreamBody(self._followed(arrival, response, response.body)))

    async def _followed(self, arrival: Arrival, response: HttpResponse, body: ByteStream) -> AsyncIterator[bytes]:
        known = arrival.context.setdefault("integration", {})
        known["timeToAllHeaders"] = self._since(arrival)
        parts, sent = aiter(body), 0
        try:
            async for part in parts:
                if not sent:
                    known["timeToFirstContent"] = self._since(arrival)
                sent += len(part)
                yield part
        except MayflyError as error:
            known["error"] = arrival.why = str(error)
            _log.info("request %s to API %s: %s", arrival.request.request_id, arrival.view.api.head.id, error)
            raise
        finally:
            if isinstance(parts, AsyncGenerator):
                await parts.aclose()
            self._note(arrival, response, sent)

    def _since(self, arrival: Arrival) -> int:
        return round((self._clock.monotonic() - arrival.began) * 1000.0)

    def _note(self, arrival: Arrival, response: HttpResponse, length: int) -> None:
        """That it cannot be written down changes nothing about the response."""
        latency_ms = (self._clock.monotonic() - arrival.began) * 1000.0
        arrival.context |= {
            "status": str(response.status),
            "responseLatency": round(latency_ms),
            "responseLength": length,
        }
        lines = [one for one in (self._access(arrival), self._execution(arrival, response)) if one is not None]
        if lines:
            try:
                self._records.append(lines, [])
            except PlatformError:
                self._counts.count("DroppedLogLines", (), 1.0, "Count", NAMESPACE)
        self._measure(arrival, response, latency_ms)

    def _access(self, arrival: Arrival) -> LogLines | None:
        settings = arrival.view.stage.access_log_settings
        if not settings or ":log-group:" not in settings.get("destinationArn", "") or "format" not in settings:
            return None
        text = refusals.substitute(settings["format"], arrival.context, arrival.view.variables, "-")
        group = settings["destinationArn"].partition(":log-group:")[2].removesuffix(":*")
        return LogLines(group, self._stream, [(self._now_ms(), text)])

    def _execution(self, arrival: Arrival, response: HttpResponse) -> LogLines | None:
        resource, method = arrival.resource, arrival.method
        if resource is None or method is None:
            return None
        setting = arrival.view.setting(resource.path, method.http_method)
        level = setting.logging_level if setting is not None else None
        error = arrival.context.get("error")
        if setting is None or level in (None, "OFF") or (level == "ERROR" and error is None and not arrival.why):
            return None
        lines = [f"HTTP Method: {arrival.request.method}, Resource Path: {resource.path}"]
        if level == "INFO" and setting.data_trace_enabled:
            lines += execution_log(arrival)
        if error is not None or arrival.why:
            why = arrival.why or str(error["message"] if error is not None else "")
            lines.append(why if why.startswith("Execution failed") else f"Execution failed: {why}")
        lines.append(f"Method completed with status: {response.status}")
        group = f"API-Gateway-Execution-Logs_{arrival.view.api.head.id}/{arrival.stage}"
        at = self._now_ms()
        return LogLines(group, self._stream, [(at, f"({arrival.request.request_id}) {line}") for line in lines])

    def _measure(self, arrival: Arrival, response: HttpResponse, latency_ms: float) -> None:
        name = arrival.view.api.head.name
        places: list[tuple[tuple[str, str], ...]] = [
            (("ApiName", name),),
            (("ApiName", name), ("Stage", arrival.stage)),
        ]
        resource, method = arrival.resource, arrival.method
        if resource is not None and method is not None:
            setting = arrival.view.setting(resource.path, method.http_method)
            if setting is not None and setting.metrics_enabled:
                verb = arrival.request.method
                places.append((*places[1], ("Method", verb), ("Resource", resource.path)))
        family = {4: "4XXError", 5: "5XXError"}.get(response.status // 100)
        for place in places:
            self._counts.count("Count", place, 1.0, "Count", NAMESPACE)
            for metric in ("4XXError", "5XXError"):
                self._counts.count(metric, place, float(metric == family), "Count", NAMESPACE)
            self._counts.count("Latency", place, latency_ms, "Milliseconds", NAMESPACE)
            if arrival.integration_ms is not None:
                self._counts.count("IntegrationLatency", place, arrival.integration_ms, "Milliseconds", NAMESPACE)

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)


def execution_log(arrival: Arrival) -> list[str]:
    """What a request was, for the execution log."""
    path = {name: arrival.parameter(f"method.request.path.{name}") for name in arrival.variables}
    return [
        f"Method request path: {_shown(path)}",
        f"Method request query string: {_shown({name: values[-1] for name, values in arrival.query.items()})}",
        f"Method request headers: {_shown(_safe(arrival))}",
        f"Method request body before transformations: {arrival.body.decode('utf-8', 'replace')[:1024]}",
        *arrival.log,
    ]


def _safe(arrival: Arrival) -> dict[str, str]:
    """Headers without what opens doors."""
    secret = ("authorization", "x-api-key", "cookie", "x-amz-security-token")
    return {
        name: "*" * 6 + values[-1][-6:] if name.lower() in secret else values[-1]
        for name, values in arrival.headers.items()
    }


def _shown(values: Mapping[str, str | None]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in values.items()) + "}"
