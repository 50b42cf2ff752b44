"""The extensions of API Gateway in OpenAPI documents (`x-amazon-apigateway-*`), as parts of an API. Pure.

`ServiceError` for what API Gateway would not take either.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.apis import templates
from mayfly.services.apis.rest import authorizer_checks, faults, integration_checks
from mayfly.services.apis.rest.model import Authorizer, GatewayResponse, Integration, IntegrationResponse, Validator
from mayfly.services.apis.rest.operations.authorizers import new_authorizer
from mayfly.services.apis.rest.operations.integrations import new_integration, new_response

PREFIX = "x-amazon-apigateway-"
_HANDLING = {"when_no_match", "when_no_templates", "never"}


def integration(found: Mapping[str, Any], namespace: str) -> Integration:
    """`x-amazon-apigateway-integration`, its responses included."""
    kind = str(found.get("type", "")).upper()
    if kind not in ("AWS", "AWS_PROXY", "HTTP", "HTTP_PROXY", "MOCK"):
        raise faults.bad_request(f"Invalid integration type: {found.get('type')}")
    behaviour = str(found.get("passthroughBehavior") or "when_no_match")
    params = {
        **{name: value for name, value in found.items() if name != "responses"},
        "type": kind,
        "integrationHttpMethod": str(found["httpMethod"]).upper() if found.get("httpMethod") else None,
        "passthroughBehavior": behaviour.upper() if behaviour.lower() in _HANDLING else behaviour,
        "uri": found["uri"] if isinstance(found.get("uri"), str) else None,
        "requestParameters": texts(found.get("requestParameters")),
        "requestTemplates": texts(found.get("requestTemplates")),
        "timeoutInMillis": int(found["timeoutInMillis"]) if found.get("timeoutInMillis") else None,
    }
    made = new_integration(params, namespace)
    integration_checks.integration(made)
    templates.check(made.request_templates or {})
    return made


def responses(found: Mapping[str, Any]) -> dict[str, IntegrationResponse] | None:
    """Of an integration, by status. The key is the pattern, or "default"."""
    made: dict[str, IntegrationResponse] = {}
    for pattern, said in (found.get("responses") or {}).items():
        code = str(said.get("statusCode", "200"))
        params = {
            **said,
            "selectionPattern": None if pattern == "default" else pattern,
            "responseParameters": texts(said.get("responseParameters")),
            "responseTemplates": texts(said.get("responseTemplates")),
        }
        made[code] = new_response(params, code)
        templates.check(made[code].response_templates or {})
    return made or None


def authorizer(name: str, scheme: Mapping[str, Any], authorizer_id: str) -> Authorizer | None:
    """Of a security scheme; None where it has none."""
    found = scheme.get(f"{PREFIX}authorizer")
    if not isinstance(found, dict):
        return None
    kind = str(found.get("type", "token")).upper()
    auth_type = scheme.get(f"{PREFIX}authtype")
    source = found.get("identitySource")
    if source is None and kind in ("TOKEN", "COGNITO_USER_POOLS") and scheme.get("name"):
        source = f"method.request.header.{scheme['name']}"
    ttl = found.get("authorizerResultTtlInSeconds")
    params = {
        **found,
        "name": name,
        "type": kind,
        "authType": auth_type,
        "identitySource": source,
        "authorizerResultTtlInSeconds": int(ttl) if ttl is not None else None,
    }
    made = new_authorizer(authorizer_id, params)
    authorizer_checks.authorizer(made)
    return made


def validators(found: Mapping[str, Any], new_id: Callable[[], str]) -> dict[str, Validator]:
    """`x-amazon-apigateway-request-validators`, by name."""
    return {
        name: Validator(
            id=new_id(),
            name=name,
            validate_request_body=bool(said.get("validateRequestBody", False)),
            validate_request_parameters=bool(said.get("validateRequestParameters", False)),
        )
        for name, said in found.items()
    }


def gateway_responses(found: Mapping[str, Any]) -> dict[str, GatewayResponse]:
    """`x-amazon-apigateway-gateway-responses`, by type."""
    return {
        kind: GatewayResponse(
            response_type=kind,
            status_code=str(said["statusCode"]) if said.get("statusCode") else None,
            response_parameters=texts(said.get("responseParameters")) or {},
            response_templates=texts(said.get("responseTemplates")) or {},
        )
        for kind, said in found.items()
    }


def texts(found: Any) -> dict[str, str] | None:
    """A map whose values are texts."""
    if not isinstance(found, dict):
        return None
    return {name: _text(value) for name, value in found.items() if value is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
