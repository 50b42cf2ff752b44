"""Trying a method, or an authorizer, as it is now: without a deployment, and without what keeps callers out."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from msgspec.structs import replace

from mayfly.clock import utc
from mayfly.services.apis.rest import faults
from mayfly.services.apis.rest.editing import Editing, resource_of
from mayfly.services.apis.rest.locating import method_of
from mayfly.services.apis.rest.model import Api, ClientCertificate, Resource, Stage
from mayfly.services.apis.rest.operations.account import find_certificate
from mayfly.services.apis.rest.operations.authorizers import find
from mayfly.services.apis.rest.serving import tree
from mayfly.services.apis.rest.serving.arrival import Arrival, Home, arrived
from mayfly.services.apis.rest.serving.authorizing import Authorizing
from mayfly.services.apis.rest.serving.integrating import Integrating
from mayfly.services.apis.rest.serving.noting import execution_log
from mayfly.services.apis.rest.serving.pipeline import MOST_BODY, refused
from mayfly.services.apis.rest.serving.refusals import RefusedError, internal
from mayfly.services.apis.rest.serving.streaming import whole
from mayfly.services.apis.rest.serving.validating import validate
from mayfly.services.apis.rest.serving.views import View
from mayfly.services.contract import HttpRequest, HttpResponse, RequestContext, operation

STAGE = "test-invoke-stage"


class TryingOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing, integrating: Integrating, authorizing: Authorizing) -> None:
        self._editing = editing
        self._integrating = integrating
        self._authorizing = authorizing

    @operation("TestInvokeMethod")
    async def method(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        api = await self._editing.read(params["restApiId"], lambda api: api, faults.no_such_resource())
        resource, method = resource_of(api, params["resourceId"]), method_of(api, params)
        verb = "GET" if method.http_method == "ANY" else method.http_method
        certificate: ClientCertificate | None = None
        if params.get("clientCertificateId"):
            certificate = await self._editing.store.read(lambda reader: find_certificate(reader, params))
        arrival = self._arrival(context, params, api, verb, resource.path, certificate)
        arrival.resource, arrival.method = resource, method
        arrival.variables = _variables(resource, arrival.path)
        arrival.context["resourceId"], arrival.context["resourcePath"] = resource.id, resource.path
        try:
            if method.method_integration is None:
                raise internal("No integration defined for method", "API_CONFIGURATION_ERROR")
            validate(arrival)
            response = await self._integrating.answer(arrival)
            response = replace(response, body=await whole(response, MOST_BODY))
        except RefusedError as refusal:
            response = refused(arrival, refusal)
        return self._reply(context, arrival, response)

    @operation("TestInvokeAuthorizer")
    async def authorizer(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        missing = faults.not_found("Invalid Authorizer identifier specified")
        api = await self._editing.read(params["restApiId"], lambda api: api, missing)
        authorizer = find(api, params)
        if authorizer.type == "COGNITO_USER_POOLS":
            raise faults.refused("Authorizers of user pools are not tried: send a request with a token of the pool.")
        arrival = self._arrival(context, params, api, "GET", "/")
        arrival.resource = api.parts.resources[api.head.root_resource_id]
        began = self._editing.clock.monotonic()
        try:
            said = await self._authorizing.ask(arrival, authorizer)
        except RefusedError as refusal:
            return {"clientStatus": refusal.status, "log": refusal.why, "latency": 0}
        latency = int((self._editing.clock.monotonic() - began) * 1000)
        policy = said.get("policyDocument")
        members = {"clientStatus": 0, "latency": latency, "principalId": said["principalId"], "log": ""}
        claims = {name: str(value) for name, value in (said.get("context") or {}).items()}
        return {**members, "policy": json.dumps(policy), "claims": claims, "authorization": {}}

    def _arrival(
        self,
        context: RequestContext,
        params: Mapping[str, Any],
        api: Api,
        verb: str,
        usual: str,
        certificate: ClientCertificate | None = None,
    ) -> Arrival:
        path, _, query = (params.get("pathWithQueryString") or usual).partition("?")
        now = self._editing.clock.now()
        stage = Stage(
            stage_name=STAGE,
            deployment_id="test",
            created_at=now,
            updated_at=now,
            cache_cluster_enabled=False,
            tracing_enabled=False,
            variables=params.get("stageVariables"),
        )
        view = View(api, stage, "test", tree.Node(), stage.variables or {}, certificate)
        body = (params.get("body") or "").encode()
        request = HttpRequest(
            verb,
            path,
            query,
            _headers(params),
            _Empty(),
            f"{api.head.id}.execute-api.{self._editing.region}.amazonaws.com",
            "test-invoke-source-ip",
            context.request_id,
            content=body,
        )
        home = Home(self._editing.account, self._editing.region)
        return arrived(request, body, view, path, home, now, self._editing.clock.monotonic())

    def _reply(self, context: RequestContext, arrival: Arrival, response: HttpResponse) -> dict[str, Any]:
        many: dict[str, list[str]] = {}
        for name, value in response.headers:
            many.setdefault(_SPELLED.get(name, name), []).append(value)
        body = response.body if isinstance(response.body, bytes) else b""
        lines = [
            f"Starting execution for request: {context.request_id}",
            f"HTTP Method: {arrival.request.method}, Resource Path: {arrival.path}",
            *execution_log(arrival),
        ]
        error = arrival.context.get("error")
        if error is not None:
            lines.append(arrival.why or str(error["message"]))
        lines.append(f"Method completed with status: {response.status}")
        at = f"{utc(self._editing.clock.now()):%a %b %d %H:%M:%S UTC %Y}"
        log = "\n".join([f"Execution log for request {context.request_id}", *[f"{at} : {one}" for one in lines], ""])
        return {
            "status": response.status,
            "body": body.decode("utf-8", "replace"),
            "headers": {name: values[-1] for name, values in many.items()},
            "multiValueHeaders": many,
            "log": log,
            "latency": int((self._editing.clock.monotonic() - arrival.began) * 1000),
        }


_SPELLED = {"content-type": "Content-Type", "x-amzn-errortype": "x-amzn-ErrorType"}


def _headers(params: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    found = [(name.lower(), value) for name, value in (params.get("headers") or {}).items()]
    for name, values in (params.get("multiValueHeaders") or {}).items():
        found += [(name.lower(), value) for value in values if (name.lower(), value) not in found]
    return found


def _variables(resource: Resource, path: str) -> dict[str, str]:
    """What stands in a path for the variables of a resource; the path need not be the resource's."""
    pattern = ""
    for part in re.split(r"(\{[^{}]+\})", resource.path):
        pattern += ("(.+)" if part.endswith("+}") else "([^/]+)") if part.startswith("{") else re.escape(part)
    match = re.fullmatch(pattern, path)
    names = [name.rstrip("+") for name in re.findall(r"\{([^{}]+)\}", resource.path)]
    return dict(zip(names, (unquote(one) for one in match.groups()), strict=True)) if match is not None else {}


class _Empty:
    """A `ByteStream` of nothing: the body came along with the request."""

    length: int | None = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.length:
            yield b""
