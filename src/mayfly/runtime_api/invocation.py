"""A call, as a runtime gets to know of it."""

from dataclasses import dataclass

from mayfly.runtime_api.exchange import Response


@dataclass(frozen=True, slots=True)
class Invocation:
    """Texts are empty where there is none."""

    number: int  # by which the engine knows it
    request_id: str
    deadline_ms: int  # Unix milliseconds
    arn: str
    payload: bytes
    trace_id: str = ""
    client_context: str = ""  # JSON
    identity: str = ""  # JSON
    tenant: str = ""

    def response(self) -> Response:
        """The answer to who asked for the next one."""
        headers = [
            ("Lambda-Runtime-Aws-Request-Id", self.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(self.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", self.arn),
        ]
        optional = (
            ("Lambda-Runtime-Trace-Id", self.trace_id),
            ("Lambda-Runtime-Client-Context", self.client_context),
            ("Lambda-Runtime-Cognito-Identity", self.identity),
            ("Lambda-Runtime-Aws-Tenant-Id", self.tenant),
        )
        headers += [(name, value) for name, value in optional if value]
        return Response(200, self.payload, tuple(headers))
