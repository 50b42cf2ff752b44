"""Methods of resources, and the responses that they declare."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly.services.apis.rest import checks, faults, patching
from mayfly.services.apis.rest.editing import Editing, resource_of
from mayfly.services.apis.rest.locating import method_of, put_method
from mayfly.services.apis.rest.model import Api, Method, MethodResponse, Parts, shown
from mayfly.services.apis.rest.patching import boolean, entry, listed, scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

_NO_PARAMETER = faults.not_found("Invalid parameter name specified")
_NO_TYPE = faults.not_found("Content-Type specified was not found")
METHOD_RULES = (
    scalar("authorizationType"),
    scalar("authorizerId"),
    scalar("apiKeyRequired", boolean),
    scalar("requestValidatorId", lambda value: value or None),
    scalar("operationName"),
    entry("requestParameters", boolean),
    entry("requestModels"),
    listed("authorizationScopes"),
)
RESPONSE_RULES = (
    entry("responseParameters", boolean, missing=_NO_PARAMETER),
    entry("responseModels", missing=_NO_TYPE),
)


class MethodOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("PutMethod")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        method = Method(
            http_method=params["httpMethod"],
            authorization_type=params["authorizationType"],
            api_key_required=params.get("apiKeyRequired", False),
            authorizer_id=params.get("authorizerId"),
            request_validator_id=params.get("requestValidatorId") or None,
            operation_name=params.get("operationName"),
            request_parameters=params.get("requestParameters"),
            request_models=params.get("requestModels"),
            authorization_scopes=params.get("authorizationScopes"),
        )

        def body(api: Api, tx: Tx) -> Method:
            resource = resource_of(api, params["resourceId"])
            checks.method(method.http_method)
            if method.http_method in resource.methods:
                raise faults.conflict("Method already exists for this resource")
            put_method(api, params, checked(api.parts, method))
            return method_of(api, params)

        return shown(await self._editing.change(params["restApiId"], body, faults.no_such_resource()))

    @operation("GetMethod")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(
            params["restApiId"], lambda api: method_of(api, params), faults.no_such_resource()
        )
        return shown(found)

    @operation("UpdateMethod")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> Method:
            members = msgspec.to_builtins(method_of(api, params))
            patching.apply_curt(members, METHOD_RULES, asked)
            put_method(api, params, checked(api.parts, msgspec.convert(members, Method)))
            return method_of(api, params)

        return shown(await self._editing.change(params["restApiId"], body, faults.no_such_resource()))

    @operation("DeleteMethod")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            method_of(api, params)
            put_method(api, params, None)

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return {}

    @operation("PutMethodResponse")
    async def put_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = MethodResponse(
            status_code=params["statusCode"],
            response_parameters=params.get("responseParameters"),
            response_models=params.get("responseModels"),
        )

        def body(api: Api, tx: Tx) -> None:
            method = method_of(api, params)
            if made.status_code in (method.method_responses or {}):
                raise faults.conflict("Response already exists for this resource")
            self._put(api, params, checked_response(api.parts, made))

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return shown(made)

    @operation("GetMethodResponse")
    async def get_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(
            params["restApiId"], lambda api: self._response(api, params), faults.no_such_resource()
        )
        return shown(found)

    @operation("UpdateMethodResponse")
    async def update_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> MethodResponse:
            members = msgspec.to_builtins(self._response(api, params))
            patching.apply_curt(members, RESPONSE_RULES, asked)
            changed = checked_response(api.parts, msgspec.convert(members, MethodResponse))
            self._put(api, params, changed)
            return changed

        return shown(await self._editing.change(params["restApiId"], body, faults.no_such_resource()))

    @operation("DeleteMethodResponse")
    async def delete_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            self._response(api, params)
            method = method_of(api, params)
            left = {code: one for code, one in (method.method_responses or {}).items() if code != params["statusCode"]}
            put_method(api, params, replace(method, method_responses=left or None))

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return {}

    def _response(self, api: Api, params: Mapping[str, Any]) -> MethodResponse:
        found = (method_of(api, params).method_responses or {}).get(params["statusCode"])
        if found is None:
            raise faults.no_such_response()
        return found

    def _put(self, api: Api, params: Mapping[str, Any], response: MethodResponse) -> None:
        method = method_of(api, params)
        responses = {**(method.method_responses or {}), response.status_code: response}
        put_method(api, params, replace(method, method_responses=dict(sorted(responses.items()))))


def checked(parts: Parts, method: Method) -> Method:
    """The method as it is stored; `ServiceError` for what it names and is not there."""
    checks.parameters(method.request_parameters or {})
    kind = method.authorization_type
    if kind not in ("NONE", "AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"):
        raise faults.bad_request(
            "Invalid Authorization Type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS"
        )
    if kind in ("CUSTOM", "COGNITO_USER_POOLS"):
        authorizer = parts.authorizers.get(method.authorizer_id or "")
        if authorizer is None or (authorizer.type == "COGNITO_USER_POOLS") != (kind == "COGNITO_USER_POOLS"):
            raise faults.bad_request(
                "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS "
                "requires a valid authorizer."
            )
    else:
        method = replace(method, authorizer_id=None)
    if method.request_validator_id is not None and method.request_validator_id not in parts.validators:
        raise faults.bad_request("Invalid Request Validator identifier specified")
    for name in (method.request_models or {}).values():
        _check_model(parts, name)
    return method


def checked_response(parts: Parts, response: MethodResponse) -> MethodResponse:
    checks.parameters(response.response_parameters or {}, "method.response")
    for name in (response.response_models or {}).values():
        _check_model(parts, name)
    return response


def _check_model(parts: Parts, name: str) -> None:
    if name not in parts.models:
        raise faults.bad_request(f"Invalid model identifier specified: {name}")
