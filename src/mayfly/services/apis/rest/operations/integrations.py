"""Integrations of methods, and their responses."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly.services.apis import templates
from mayfly.services.apis.rest import checks, faults, integration_checks, patching
from mayfly.services.apis.rest.editing import Editing, resource_of
from mayfly.services.apis.rest.locating import integration_of, method_of, put_integration
from mayfly.services.apis.rest.model import Api, Integration, IntegrationResponse, Method, shown
from mayfly.services.apis.rest.patching import boolean, entry, integer, listed, scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

_NO_PARAMETER = faults.not_found("Invalid parameter name specified")
_ANY = "add remove replace"


def _tls(members: dict[str, Any], patch: patching.Patch) -> None:
    members["tlsConfig"] = {"insecureSkipVerification": boolean(patch.value)}


INTEGRATION_RULES = (
    scalar("type"),
    scalar("httpMethod"),
    scalar("uri"),
    scalar("credentials", ops=_ANY),
    scalar("connectionType"),
    scalar("connectionId", ops=_ANY),
    scalar("passthroughBehavior"),
    scalar("contentHandling", lambda value: value or None, ops=_ANY),
    scalar("timeoutInMillis", integer("timeoutInMillis"), ops="replace add"),
    scalar("cacheNamespace"),
    scalar("responseTransferMode"),
    entry("requestParameters", missing=_NO_PARAMETER),
    entry("requestTemplates"),
    listed("cacheKeyParameters"),
    patching.member("cacheKeyParameters"),
    patching.Rule("/tlsConfig/insecureSkipVerification", frozenset(_ANY.split()), _tls),
)
RESPONSE_RULES = (
    scalar("selectionPattern", ops=_ANY),
    scalar("contentHandling", lambda value: value or None, ops=_ANY),
    entry("responseParameters", missing=_NO_PARAMETER),
    entry("responseTemplates"),
)


class IntegrationOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("PutIntegration")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = new_integration(params, params["resourceId"])
        await templates.check_put(made.request_templates)

        def body(api: Api, tx: Tx) -> None:
            method_of(api, params)
            integration_checks.integration(made)
            put_integration(api, params, made)

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return described(made)

    @operation("GetIntegration")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(
            params["restApiId"], lambda api: integration_of(api, params), faults.no_such_resource()
        )
        return described(found)

    @operation("UpdateIntegration")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)
        await templates.check_put(patching.entries("requestTemplates", asked))

        def body(api: Api, tx: Tx) -> Integration:
            members = msgspec.to_builtins(integration_of(api, params))
            patching.apply_curt(members, INTEGRATION_RULES, asked)
            members["cacheKeyParameters"] = members.get("cacheKeyParameters") or []
            changed = msgspec.convert(members, Integration)
            integration_checks.integration(changed)
            put_integration(api, params, changed)
            return changed

        return described(await self._editing.change(params["restApiId"], body, faults.no_such_resource()))

    @operation("DeleteIntegration")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            integration_of(api, params)
            put_integration(api, params, None)

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return {}

    @operation("PutIntegrationResponse")
    async def put_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = new_response(params, params["statusCode"])
        await templates.check_put(made.response_templates)

        def body(api: Api, tx: Tx) -> None:
            integration_of(api, params)
            self._put(api, params, made)

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return shown(made)

    @operation("GetIntegrationResponse")
    async def get_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(
            params["restApiId"], lambda api: self._response(api, params), faults.no_such_resource()
        )
        return shown(found)

    @operation("UpdateIntegrationResponse")
    async def update_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)
        await templates.check_put(patching.entries("responseTemplates", asked))

        def body(api: Api, tx: Tx) -> IntegrationResponse:
            members = msgspec.to_builtins(self._response(api, params))
            patching.apply_curt(members, RESPONSE_RULES, asked)
            changed = msgspec.convert(members, IntegrationResponse)
            self._put(api, params, changed)
            return changed

        return shown(await self._editing.change(params["restApiId"], body, faults.no_such_resource()))

    @operation("DeleteIntegrationResponse")
    async def delete_response(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            method = resource_of(api, params["resourceId"]).methods.get(params["httpMethod"])
            if method is None or method.method_integration is None:
                raise faults.no_such_integration()
            self._response(api, params)
            integration = integration_of(api, params)
            left = dict(integration.integration_responses or {})
            del left[params["statusCode"]]
            put_integration(api, params, replace(integration, integration_responses=left or None))

        await self._editing.change(params["restApiId"], body, faults.no_such_resource())
        return {}

    def _response(self, api: Api, params: Mapping[str, Any]) -> IntegrationResponse:
        found = (integration_of(api, params).integration_responses or {}).get(params["statusCode"])
        if found is None:
            raise faults.no_such_response()
        return found

    def _put(self, api: Api, params: Mapping[str, Any], response: IntegrationResponse) -> None:
        check_response(method_of(api, params), response)
        integration = integration_of(api, params)
        responses = {**(integration.integration_responses or {}), response.status_code: response}
        ordered = dict(sorted(responses.items()))
        put_integration(api, params, replace(integration, integration_responses=ordered))


def check_response(method: Method, response: IntegrationResponse) -> None:
    """`ServiceError`; headers that it sets have to be declared by the method's response first."""
    declared = (method.method_responses or {}).get(response.status_code)
    headers = (declared.response_parameters if declared is not None else None) or {}
    checks.templates(response.response_templates or {})
    integration_checks.response_parameters(response.response_parameters or {}, headers)


def new_integration(params: Mapping[str, Any], cache_namespace: str) -> Integration:
    """From the members of a request, or of a document's extension under the same names."""
    kind = params["type"]
    web = kind in ("HTTP", "HTTP_PROXY")
    return Integration(
        type=kind,
        passthrough_behavior=params.get("passthroughBehavior") or "WHEN_NO_MATCH",
        timeout_in_millis=params.get("timeoutInMillis") or integration_checks.USUAL_MS,
        cache_namespace=params.get("cacheNamespace") or cache_namespace,
        cache_key_parameters=list(params.get("cacheKeyParameters") or []),
        http_method=params.get("integrationHttpMethod"),
        uri=params.get("uri"),
        connection_type=params.get("connectionType") or ("INTERNET" if web else None),
        connection_id=params.get("connectionId"),
        credentials=params.get("credentials"),
        request_parameters=params.get("requestParameters"),
        request_templates=emptied(params.get("requestTemplates")),
        content_handling=params.get("contentHandling"),
        tls_config=params.get("tlsConfig"),
        response_transfer_mode=params.get("responseTransferMode"),
        integration_target=params.get("integrationTarget"),
    )


def new_response(params: Mapping[str, Any], code: str) -> IntegrationResponse:
    return IntegrationResponse(
        status_code=code,
        selection_pattern=params.get("selectionPattern"),
        response_parameters=params.get("responseParameters"),
        response_templates=emptied(params.get("responseTemplates")),
        content_handling=params.get("contentHandling"),
    )


def emptied(templates: Mapping[str, str | None] | None) -> dict[str, str | None] | None:
    """Templates, those without a character as none, which passes the body on."""
    return None if templates is None else {kind: text or None for kind, text in templates.items()}


def described(integration: Integration) -> dict[str, Any]:
    return shown(integration)
