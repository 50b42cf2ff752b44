"""What REST APIs answer by themselves: gateway responses by type, as AWS has them, and as an API has them. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from mayfly.errors import CallerError
from mayfly.services.apis.rest.model import GatewayResponse
from mayfly.services.apis.rest.serving.header_values import sendable
from mayfly.services.contract import HttpResponse

TEMPLATE: Final = '{"message":$context.error.messageString}'
_REFERENCE = re.compile(
    r"\$(?:context|stageVariables)(?:\.[A-Za-z0-9_\-]+)+|\$\{(?:context|stageVariables)(?:\.[A-Za-z0-9_\-]+)+\}"
)


class Usual(NamedTuple):
    """A type of gateway response as it is by itself."""

    status: int | None  # None: whatever the failure has
    error: str  # of x-amzn-errortype


TYPES: Final[Mapping[str, Usual]] = MappingProxyType(
    {
        "ACCESS_DENIED": Usual(403, "AccessDeniedException"),
        "API_CONFIGURATION_ERROR": Usual(500, "InternalServerErrorException"),
        "AUTHORIZER_CONFIGURATION_ERROR": Usual(500, "AuthorizerConfigurationException"),
        "AUTHORIZER_FAILURE": Usual(500, "AuthorizerConfigurationException"),
        "BAD_REQUEST_BODY": Usual(400, "BadRequestException"),
        "BAD_REQUEST_PARAMETERS": Usual(400, "BadRequestException"),
        "DEFAULT_4XX": Usual(None, "BadRequestException"),
        "DEFAULT_5XX": Usual(None, "InternalServerErrorException"),
        "EXPIRED_TOKEN": Usual(403, "ExpiredTokenException"),
        "INTEGRATION_FAILURE": Usual(504, "InternalServerErrorException"),
        "INTEGRATION_TIMEOUT": Usual(504, "InternalServerErrorException"),
        "INVALID_API_KEY": Usual(403, "ForbiddenException"),
        "INVALID_SIGNATURE": Usual(403, "InvalidSignatureException"),
        "MISSING_AUTHENTICATION_TOKEN": Usual(403, "MissingAuthenticationTokenException"),
        "QUOTA_EXCEEDED": Usual(429, "LimitExceededException"),
        "REQUEST_TOO_LARGE": Usual(413, "RequestTooLongException"),
        "RESOURCE_NOT_FOUND": Usual(404, "NotFoundException"),
        "THROTTLED": Usual(429, "TooManyRequestsException"),
        "UNAUTHORIZED": Usual(401, "UnauthorizedException"),
        "UNSUPPORTED_MEDIA_TYPE": Usual(415, "BadRequestException"),
        "WAF_FILTERED": Usual(403, "ForbiddenException"),
    }
)


class RefusedError(CallerError):
    """A request ends here, with a gateway response."""

    def __init__(
        self, kind: str, message: str | None, status: int | None = None, why: str = "", error: str | None = None
    ) -> None:
        """`why`: for the log, more than the client is told. `error`: of x-amzn-errortype, unless it is the type's."""
        super().__init__(why or message or kind)
        self.kind = kind
        self.message = message
        self.status = status or TYPES[kind].status or 500
        self.why = why or message or kind
        self.error = error or TYPES[kind].error


def internal(why: str, kind: str = "DEFAULT_5XX", status: int = 500) -> RefusedError:
    """Something about the API or its integration is wrong; what exactly is for its log."""
    return RefusedError(kind, "Internal server error", status, why)


def missing_token() -> RefusedError:
    return RefusedError(
        "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token", why="no such method or resource"
    )


def render(
    refusal: RefusedError,
    customised: Mapping[str, GatewayResponse],
    context: dict[str, Any],
    stage_variables: Mapping[str, str],
    parameter: Callable[[str], str | None],
    accept: str,
) -> HttpResponse:
    """The response. `parameter` gives what `method.request.header.x` and the like stand for; `context` learns of the
    error."""
    context["error"] = {
        "message": refusal.message,
        "messageString": json.dumps(refusal.message),
        "responseType": refusal.kind,
        **({"validationErrorString": refusal.why} if refusal.kind.startswith("BAD_REQUEST") else {}),
    }
    family = "DEFAULT_4XX" if refusal.status < 500 else "DEFAULT_5XX"
    own = customised.get(refusal.kind)
    general = customised.get(family)
    chosen = own or general
    status = refusal.status
    for one in (own, general):
        if one is not None and one.status_code:
            status = int(one.status_code)
            break
    headers = {"content-type": "application/json", "x-amzn-errortype": refusal.error}
    templates: Mapping[str, str] = {"application/json": TEMPLATE}
    if chosen is not None:
        templates = chosen.response_templates or templates
        for name, source in chosen.response_parameters.items():
            value = _valued(source, context, stage_variables, parameter)
            if value is not None and name.startswith("gatewayresponse.header."):
                headers[name.removeprefix("gatewayresponse.header.").lower()] = sendable(value)
    kind = _accepted(accept, templates)
    if "content-type" not in {
        name.removeprefix("gatewayresponse.header.").lower() for name in (chosen.response_parameters if chosen else ())
    }:
        headers["content-type"] = kind
    body = substitute(templates[kind], context, stage_variables)
    return HttpResponse(status, list(headers.items()), body.encode())


def substitute(text: str, context: Mapping[str, Any], stage_variables: Mapping[str, str], absent: str = "") -> str:
    """`text` with variables of the context and the stage in their places; nothing of templates else."""

    def found(match: re.Match[str]) -> str:
        name = match[0].removeprefix("$").strip("{}")
        value = lookup(name, context, stage_variables)
        return absent if value is None else value

    return _REFERENCE.sub(found, text)


def lookup(name: str, context: Mapping[str, Any], stage_variables: Mapping[str, str]) -> str | None:
    """What `context.identity.sourceIp` or `stageVariables.x` is, as text."""
    first, *rest = name.split(".")
    value: Any = context if first == "context" else stage_variables if first == "stageVariables" else None
    for part in rest:
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _valued(
    source: str,
    context: Mapping[str, Any],
    stage_variables: Mapping[str, str],
    parameter: Callable[[str], str | None],
) -> str | None:
    if len(source) >= 2 and source[0] == source[-1] == "'":
        return source[1:-1]
    if source.startswith("method.request."):
        return parameter(source)
    return lookup(source, context, stage_variables)


def _accepted(accept: str, templates: Mapping[str, str]) -> str:
    wanted = accept.split(",", maxsplit=1)[0].split(";", maxsplit=1)[0].strip()
    if wanted in templates:
        return wanted
    return "application/json" if "application/json" in templates else next(iter(templates))
