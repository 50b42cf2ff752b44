"""A request on its way through a REST API: what came, what it matched, and what is known of it so far.

`pipeline` makes one for each request; the steps read it, and write what they find out into `context`, which is what
mapping templates and logs call `$context`.
"""

import base64
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, unquote_plus

from mayfly import ids
from mayfly.services.apis.rest.model import Integration, Method, Resource
from mayfly.services.apis.rest.serving.spelling import gathered
from mayfly.services.apis.rest.serving.views import View
from mayfly.services.contract import HttpRequest, Principal

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Home:
    """Where all of this is."""

    account: str
    region: str


@dataclass(slots=True)
class Arrival:
    """One request."""

    request: HttpRequest
    view: View
    stage: str
    path: str  # below the stage, one slash in front
    body: bytes
    headers: dict[str, list[str]]  # as clients spell them
    query: dict[str, list[str]]
    context: dict[str, Any]
    began: float  # monotonic
    resource: Resource | None = None
    method: Method | None = None
    variables: dict[str, str] = field(default_factory=dict)  # of the path, as they stand there
    authorizer: dict[str, Any] | None = None  # what an authorizer said, as events show it
    trace_id: str | None = None
    integration_ms: float | None = None
    principal: Principal | None = None  # who signed it, where that was asked for
    usage_key: str | None = None  # what an authorizer says the API key is
    shown: str | None = None  # the path as functions are told it; None: as it is below the stage
    why: str = ""  # what went wrong, in more words than the client is told
    log: list[str] = field(default_factory=list)  # lines of the execution log

    def integration(self) -> Integration:
        """Of the method that was found."""
        found = self.method.method_integration if self.method is not None else None
        assert found is not None, "a method without one was refused"
        return found

    def answered(self, status: int, trace_id: str, request_id: str) -> None:
        """The integration did, with a status, to what it knows by an id. The log's `$context.integration.status` is
        for what the code of a function says, once that was read."""
        said = str(status)
        self.context["integrationStatus"] = said
        told = {"status": said, "integrationStatus": said, "requestId": request_id}
        self.context.setdefault("integration", {}).update(told)
        self.trace_id = trace_id or None

    def note(self, words: str, body: bytes | None = None) -> None:
        """A line for the execution log."""
        self.log.append(words if body is None else words + body.decode("utf-8", "replace")[:1024])

    def header(self, name: str) -> str | None:
        """The last value, whatever the spelling."""
        lower = name.lower()
        for key, values in self.headers.items():
            if key.lower() == lower:
                return values[-1]
        return None

    def parameter(self, place: str) -> str | None:
        """What `method.request.header.x`, `.querystring.x`, `.path.x` or `.body` stands for; None: nothing.

        `multivalueheader` and `multivaluequerystring` give all values, as JSON has a list of them."""
        pieces = place.split(".", 3)
        if pieces[2] == "body":
            return self.body.decode("utf-8", "replace")
        name = pieces[3] if len(pieces) == 4 else ""
        if pieces[2] == "header":
            return self.header(name)
        if pieces[2] == "querystring":
            return self.query[name][-1] if name in self.query else None
        if pieces[2] == "path":
            return unquote(self.variables[name]) if name in self.variables else None
        values = self.query.get(name) if pieces[2] == "multivaluequerystring" else self._all(name)
        return None if not values else f"[{', '.join(values)}]"

    def _all(self, name: str) -> list[str]:
        return [value for key, values in self.headers.items() if key.lower() == name.lower() for value in values]


def arrived(
    request: HttpRequest, body: bytes, view: View, path: str, home: Home, now: float, monotonic: float
) -> Arrival:
    """A request at the door of a stage. `path`: below the stage."""
    headers = gathered(request.headers)
    headers["Host"] = [request.host]
    forwarded = headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = [f"{', '.join(forwarded)}, {request.source_ip}" if forwarded else request.source_ip]
    _, _, port = request.host.rpartition(":")
    headers["X-Forwarded-Port"] = [port if port.isdecimal() else "80"]
    headers["X-Forwarded-Proto"] = ["http"]
    domain = request.host.partition(":")[0]
    if request.mount:  # the API was named by the path: the name that it would have on AWS
        domain = f"{view.api.head.id}.execute-api.{home.region}.amazonaws.com"
    stage = view.stage.stage_name
    context: dict[str, Any] = {
        "accountId": home.account,
        "apiId": view.api.head.id,
        "deploymentId": view.deployment_id,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "extendedRequestId": extended_id(),
        "httpMethod": request.method,
        "identity": {
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "cognitoAuthenticationProvider": None,
            "cognitoAuthenticationType": None,
            "cognitoIdentityId": None,
            "cognitoIdentityPoolId": None,
            "principalOrgId": None,
            "sourceIp": request.source_ip,
            "user": None,
            "userAgent": request.header("user-agent"),
            "userArn": None,
        },
        "path": f"/{stage}{path}",
        "protocol": request.protocol,
        "requestId": request.request_id,
        "requestTime": log_time(now),
        "requestTimeEpoch": int(now * 1000),
        "stage": stage,
    }
    one_slash = "/" + path.lstrip("/")
    return Arrival(request, view, stage, one_slash, body, headers, read_query(request.query), context, monotonic)


def read_query(query: str) -> dict[str, list[str]]:
    """Decoded parameters, all values in order."""
    found: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            found.setdefault(unquote_plus(name), []).append(unquote_plus(value))
    return found


def extended_id() -> str:
    """As `x-amz-apigw-id` has it."""
    return base64.b64encode(bytes.fromhex(ids.digits(22))).decode()[:14] + "="


def log_time(at: float) -> str:
    """`01/Feb/2026:03:04:05 +0000`, English in every locale."""
    year, month, day, hour, minute, second = time.gmtime(at)[:6]
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{second:02d} +0000"
