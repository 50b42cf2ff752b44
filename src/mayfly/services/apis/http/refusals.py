"""What HTTP APIs answer themselves: one JSON object with a message. Pure."""

import json
from collections.abc import Sequence
from typing import Final

from mayfly.errors import MayflyError
from mayfly.services.contract import HttpResponse

_JSON: Final = ("content-type", "application/json")


class GatewayError(MayflyError):
    """A request that is answered by the API itself, and why.

    `kind` is what access logs have as `$context.error.responseType`; `detail` what they have of an integration or
    authorizer that failed.
    """

    def __init__(
        self, status: int, message: str, kind: str, detail: str = "", headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(f"{status} {message}: {detail or kind}")
        self.status = status
        self.message = message
        self.kind = kind
        self.detail = detail
        self.headers = headers

    def response(self) -> HttpResponse:
        return HttpResponse(
            self.status, [_JSON, *self.headers], json.dumps({"message": self.message}, separators=(",", ":")).encode()
        )


def not_found() -> GatewayError:
    return GatewayError(404, "Not Found", "NOT_FOUND")


def forbidden(detail: str = "") -> GatewayError:
    return GatewayError(403, "Forbidden", "ACCESS_DENIED", detail)


def unauthorized(detail: str = "", headers: Sequence[tuple[str, str]] = ()) -> GatewayError:
    return GatewayError(401, "Unauthorized", "UNAUTHORIZED", detail, headers)


def too_many() -> GatewayError:
    return GatewayError(429, "Too Many Requests", "THROTTLED")


def too_large() -> GatewayError:
    return GatewayError(413, "Request Entity Too Large", "REQUEST_TOO_LARGE")


def bad_request(detail: str) -> GatewayError:
    return GatewayError(400, "Bad Request", "BAD_REQUEST", detail)


def internal(detail: str, kind: str = "INTEGRATION_FAILURE") -> GatewayError:
    return GatewayError(500, "Internal Server Error", kind, detail)


def unavailable(detail: str, kind: str = "INTEGRATION_FAILURE") -> GatewayError:
    return GatewayError(503, "Service Unavailable", kind, detail)
