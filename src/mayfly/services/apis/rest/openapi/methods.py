"""One operation of an OpenAPI document as a method: parameters, bodies, responses, security, integration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from mayfly.services.apis.rest.model import Authorizer, Method, MethodResponse, Validator
from mayfly.services.apis.rest.openapi import extensions
from mayfly.services.apis.rest.openapi.bodies import Bodies
from mayfly.services.apis.rest.openapi.extensions import PREFIX

_PLACES = {"query": "querystring", "header": "header", "path": "path"}


@dataclass
class Reading:
    """What an operation may refer to of its document."""

    document: Mapping[str, Any]
    is_3: bool
    bodies: Bodies
    authorizers: Mapping[str, Authorizer]  # by the name of the scheme
    schemes: Mapping[str, Mapping[str, Any]]
    validators: Mapping[str, Validator]  # by name
    warnings: list[str] = field(default_factory=list)

    def resolve(self, value: Any) -> Mapping[str, Any]:
        """A part of the document, or what it refers to in it; {} for what leads nowhere."""
        for _ in range(10):
            if not isinstance(value, dict):
                return {}
            reference = value.get("$ref")
            if not isinstance(reference, str) or not reference.startswith("#/"):
                return value
            value = self.document
            for part in reference[2:].split("/"):
                value = value.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
        return {}


def read(reading: Reading, verb: str, item: Mapping[str, Any], said: Mapping[str, Any], namespace: str) -> Method:
    """`item`: what stands at the path; `said`: the operation. `ServiceError`."""
    parameters, models = _request(reading, item, said)
    kind, authorizer, scopes, key = _security(reading, said)
    given = said.get(f"{PREFIX}integration") or item.get(f"{PREFIX}integration")
    integration = None
    if isinstance(given, dict):
        integration = replace(
            extensions.integration(given, namespace), integration_responses=extensions.responses(given)
        )
    validator = said.get(f"{PREFIX}request-validator", reading.document.get(f"{PREFIX}request-validator"))
    chosen = reading.validators.get(validator) if isinstance(validator, str) else None
    return Method(
        http_method=verb,
        authorization_type=kind,
        api_key_required=key or bool(said.get(f"{PREFIX}api-key-required", False)),
        authorizer_id=authorizer,
        authorization_scopes=scopes or None,
        request_validator_id=chosen.id if chosen is not None else None,
        operation_name=said.get("operationId"),
        request_parameters=parameters or None,
        request_models=models or None,
        method_responses=_responses(reading, said) or None,
        method_integration=integration,
    )


def _request(
    reading: Reading, item: Mapping[str, Any], said: Mapping[str, Any]
) -> tuple[dict[str, bool], dict[str, str]]:
    """Parameters, and models of the body by content type."""
    parameters: dict[str, bool] = {}
    models: dict[str, str] = {}
    for raw in [*(item.get("parameters") or ()), *(said.get("parameters") or ())]:
        one = reading.resolve(raw)
        place = _PLACES.get(str(one.get("in")))
        if place is not None:
            parameters[f"method.request.{place}.{one.get('name')}"] = bool(one.get("required", False))
        elif one.get("in") == "body":
            consumes = said.get("consumes") or reading.document.get("consumes") or ["application/json"]
            for kind in consumes:
                if (name := reading.bodies.name(one.get("schema"), kind)) is not None:
                    models[kind] = name
        elif one.get("in") != "cookie":
            reading.warnings.append(f"Parameters in {one.get('in')} are not supported: {one.get('name')}")
    for kind, content in (reading.resolve(said.get("requestBody")).get("content") or {}).items():
        if (name := reading.bodies.name(content.get("schema"), kind)) is not None:
            models[kind] = name
    return parameters, models


def _responses(reading: Reading, said: Mapping[str, Any]) -> dict[str, MethodResponse]:
    made = {}
    for code, raw in (said.get("responses") or {}).items():
        if not (len(code) == 3 and code.isdecimal()):
            continue  # "default" says nothing about a status
        one = reading.resolve(raw)
        models = {}
        if reading.is_3:
            for kind, content in (one.get("content") or {}).items():
                if (name := reading.bodies.name(content.get("schema"), kind)) is not None:
                    models[kind] = name
        elif one.get("schema"):
            produces = said.get("produces") or reading.document.get("produces") or ["application/json"]
            for kind in produces:
                if (name := reading.bodies.name(one["schema"], kind)) is not None:
                    models[kind] = name
        headers = {f"method.response.header.{name}": False for name in one.get("headers") or {}}
        made[code] = MethodResponse(
            status_code=code, response_parameters=headers or None, response_models=models or None
        )
    return dict(sorted(made.items()))


def _security(reading: Reading, said: Mapping[str, Any]) -> tuple[str, str | None, list[str], bool]:
    """The kind of authorization, the authorizer, its scopes, and whether there has to be an API key."""
    kind, authorizer, scopes, key = "NONE", None, list[str](), False
    own = (said.get(f"{PREFIX}auth") or {}).get("type")
    if own in ("AWS_IAM", "NONE"):
        kind = own
    for requirement in said.get("security", reading.document.get("security")) or ():
        for name, asked in requirement.items():
            scheme = reading.schemes.get(name, {})
            found = reading.authorizers.get(name)
            if found is not None:
                kind = "COGNITO_USER_POOLS" if found.type == "COGNITO_USER_POOLS" else "CUSTOM"
                authorizer, scopes = found.id, list(asked or ())
            elif scheme.get(f"{PREFIX}authtype") == "awsSigv4":
                kind = "AWS_IAM"
            elif scheme.get("type") == "apiKey" and str(scheme.get("name", "")).lower() == "x-api-key":
                key = True
            else:
                reading.warnings.append(f"Security scheme {name} is not supported")
    return kind, authorizer, scopes, key
