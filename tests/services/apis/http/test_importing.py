"""From OpenAPI documents to what an API consists of, and back."""

import copy
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.http.model import Api, Content, Part
from mayfly.services.apis.http.openapi import exporting, importing, reading
from mayfly.services.contract import ServiceError

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
WHOLE: dict[str, Any] = {
    "openapi": "3.0.1",
    "info": {"title": "shop", "version": 1.0, "description": "d"},
    "servers": [{"url": "https://x.example/{stage}/v1", "variables": {"stage": {"default": "prod"}}}],
    "tags": [{"name": "k", "x-amazon-apigateway-tag-value": "v"}],
    "x-amazon-apigateway-cors": {"allowOrigins": ["*"], "maxAge": 5},
    "paths": {
        "/pets/{id}": {
            "get": {
                "operationId": "GetPet",
                "security": [{"tokens": ["read"]}],
                "x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/f"},
            },
            "x-amazon-apigateway-any-method": {
                "security": [{"iam": []}],
                "x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/f"},
            },
        },
        "/$default": {
            "x-amazon-apigateway-any-method": {
                "security": [{"function": []}],
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy",
                    "httpMethod": "ANY",
                    "uri": "https://up.example",
                    "payloadFormatVersion": "1.0",
                },
            }
        },
    },
    "components": {
        "x-amazon-apigateway-integrations": {"f": {"type": "aws_proxy", "uri": ARN, "payloadFormatVersion": 2.0}},
        "securitySchemes": {
            "tokens": {
                "type": "oauth2",
                "x-amazon-apigateway-authorizer": {
                    "type": "jwt",
                    "identitySource": "$request.header.Authorization",
                    "jwtConfiguration": {"issuer": "https://issuer.example", "audience": ["me"]},
                },
            },
            "function": {
                "type": "apiKey",
                "x-amazon-apigateway-authorizer": {
                    "type": "request",
                    "identitySource": "$request.header.A, $request.querystring.b",
                    "authorizerUri": ARN,
                    "authorizerPayloadFormatVersion": "2.0",
                    "enableSimpleResponses": True,
                },
            },
            "iam": {"type": "apiKey", "x-amazon-apigateway-authtype": "awsSigv4"},
        },
    },
}


def test_a_document_defines_an_api_with_all_that_it_consists_of() -> None:
    found = importing.definition(WHOLE, "ignore")
    assert found.members == {
        "Name": "shop",
        "Version": "1.0",
        "Description": "d",
        "CorsConfiguration": {"AllowOrigins": ["*"], "MaxAge": 5},
    }
    assert found.tags == {"k": "v"}
    shared = "#/components/x-amazon-apigateway-integrations/f"
    assert found.integrations[shared] == {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": ARN,
        "PayloadFormatVersion": "2.0",
    }
    jwt = {"OperationName": "GetPet", "AuthorizationType": "JWT", "AuthorizationScopes": ["read"]}
    assert found.routes == [
        ({"RouteKey": "GET /pets/{id}", **jwt}, shared, "tokens"),
        ({"RouteKey": "ANY /pets/{id}", "AuthorizationType": "AWS_IAM"}, shared, None),
        ({"RouteKey": "$default", "AuthorizationType": "CUSTOM"}, "of $default", "function"),
    ]
    assert found.authorizers["function"]["IdentitySource"] == ["$request.header.A", "$request.querystring.b"]
    assert found.warnings == []


@pytest.mark.parametrize(("how", "path"), [("ignore", "/pets"), ("prepend", "/prod/v1/pets"), ("split", "/v1/pets")])
def test_the_path_of_the_server_is_ignored_or_comes_before_every_path(how: str, path: str) -> None:
    found = importing.definition({**WHOLE, "paths": {"/pets": {"get": {}}}}, how)
    assert [route[0]["RouteKey"] for route in found.routes] == [f"GET {path}"]


def test_what_a_document_lacks_is_a_warning_where_an_api_can_do_without() -> None:
    schema = {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/No"}}}}}}
    found = importing.definition({**WHOLE, "paths": {"/a": {"get": schema}}}, "ignore")
    assert found.warnings == [
        "Route GET /a has no integration",
        "Parse issue: attribute paths.'/a'(get).responses.200.content.schema.#/components/schemas/No is missing",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "{",
        '{"swagger": "2.0"}',
        '{"openapi": "2.0"}',
        "a: &x [1]\nb: *x",
        "a: !!python/object/apply:os.system [ls]",
        "[" * 100_000,
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ServiceError) as refused:
        reading.document(text)
    assert refused.value.code == "BadRequestException"


def test_yaml_may_be_as_deep_as_any_api_and_no_deeper() -> None:
    def nested(levels: int) -> str:
        return 'openapi: "3.0"\nx: ' + "[" * levels + "]" * levels

    assert reading.document(nested(reading.MOST_DEPTH - 1))["openapi"] == "3.0"
    with pytest.raises(ServiceError, match="nested more than 200 levels deep"):
        reading.document(nested(reading.MOST_DEPTH))


@pytest.mark.parametrize(
    "change", [{"info": {}}, {"info": None}, {"paths": []}, {"paths": {"/a": 1}}, {"paths": {"/a": {"get": [1]}}}]
)
def test_a_document_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ServiceError):
        importing.definition({**WHOLE, **change}, "ignore")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just("$ref"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to everything that is in a document."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))][0 if path else 1 :]


@given(st.sampled_from(places(WHOLE)), anything, st.sampled_from(["ignore", "prepend", "split"]))
def test_a_document_with_anything_anywhere_is_read_or_refused(place: tuple[Any, ...], value: Any, how: str) -> None:
    changed = copy.deepcopy(WHOLE)
    where: Any = changed
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = value
    with suppress(ServiceError):
        importing.definition(changed, how)


def test_what_is_exported_defines_the_same_again() -> None:
    found = importing.definition(WHOLE, "ignore")
    ids = {name: f"i{number}" for number, name in enumerate(found.integrations)}
    api = Api("abc", "HTTP", {**found.members, "CreatedDate": datetime(2026, 1, 1, tzinfo=UTC), "Tags": found.tags})
    parts = [Part("integration", ids[name], members) for name, members in found.integrations.items()]
    parts += [Part("authorizer", name, members) for name, members in found.authorizers.items()]
    for number, (members, integration, authorizer) in enumerate(found.routes):
        target = {"Target": f"integrations/{ids[integration]}"} if integration is not None else {}
        named = {"AuthorizerId": authorizer} if authorizer is not None else {}
        parts.append(Part("route", f"r{number}", {**members, **target, **named}))
    made = exporting.document(Content(api, tuple(parts)), "https://x.example", {}, extensions=True)
    again = importing.definition(reading.document(json.dumps(made)), "ignore")
    assert again.members == found.members
    assert again.tags == found.tags
    assert again.authorizers == found.authorizers
    assert sorted(str(route[0]) for route in again.routes) == sorted(str(route[0]) for route in found.routes)
    assert sorted(map(str, again.integrations.values())) == sorted(
        str(found.integrations[route[1]]) for route in found.routes if route[1]
    )
