"""OpenAPI documents, whatever stands in them."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.apis.rest.openapi.documents import is_openapi_3, parse
from mayfly.services.apis.rest.openapi.reading import Read, read
from mayfly.services.contract import ServiceError

words = st.sampled_from(
    [
        "info", "title", "paths", "/a", "/a/{b}", "get", "parameters", "responses", "200", "schema", "$ref", "content",
        "components", "schemas", "securitySchemes", "security", "type", "mock", "x-amazon-apigateway-integration",
        "x-amazon-apigateway-authorizer", "x-amazon-apigateway-any-method", "x-amazon-apigateway-gateway-responses",
        "x-amazon-apigateway-request-validators", "x-amazon-apigateway-documentation", "requestBody", "in", "name",
    ]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 500) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=20,
)
versions = st.sampled_from([{"openapi": "3.0.1"}, {"swagger": "2.0"}])


@given(versions, st.dictionaries(words, values, max_size=6))
def test_a_document_is_read_or_refused_whatever_stands_where(version: dict[str, str], rest: dict[str, Any]) -> None:
    found: Read | None = None
    with suppress(ServiceError):
        found = read({**rest, **version}, "abc", "root", {"basepath": "prepend"})
    assert found is None or "root" in found.parts.resources


def test_a_base_path_is_ignored_prepended_or_split() -> None:
    document = {"swagger": "2.0", "basePath": "/one/two", "info": {"title": "t"}, "paths": {"/a": {}}}
    for mode, expected in (("ignore", "/a"), ("prepend", "/one/two/a"), ("split", "/two/a")):
        found = read(document, "abc", "root", {"basepath": mode})
        assert max((one.path for one in found.parts.resources.values()), key=len) == expected


def test_what_is_no_document_is_refused_with_the_place_or_what_is_missing() -> None:
    with pytest.raises(ServiceError, match=r"Invalid OpenAPI input\. Line 2, column 3: "):
        parse(b"openapi: [3\n  }: x\n")
    with pytest.raises(ServiceError, match=r'Invalid OpenAPI input\. A document has "openapi"'):
        is_openapi_3({"info": {"title": "pets"}})
