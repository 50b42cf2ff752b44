"""JSON Schema, draft 4, held against the library that everybody uses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator  # type: ignore[import-untyped]  # it comes with SAM's translator, without types

from mayfly.services.apis.rest.json_schema import Validator
from mayfly.services.apis.rest.model import Model
from mayfly.services.apis.rest.schemas import compile_schema, fault_of

names = st.sampled_from(["a", "b", "c"])
scalars = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.5, 2.0]) | st.sampled_from(["", "a", "ab"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
kinds = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": kinds | st.lists(kinds, min_size=1, max_size=2, unique=True),
            "enum": st.lists(values, min_size=1, max_size=3, unique_by=json.dumps),
            "minimum": st.integers(-2, 2),
            "maximum": st.integers(-2, 2),
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(0, 2),
            "pattern": st.sampled_from(["^a", "b$", "."]),
            "required": st.lists(names, min_size=1, max_size=2, unique=True),
            "properties": st.dictionaries(names, inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "[bc]"]), inner, max_size=2),
            "additionalProperties": st.booleans() | inner,
            "minProperties": st.integers(0, 2),
            "maxProperties": st.integers(0, 2),
            "items": inner | some,
            "additionalItems": st.booleans() | inner,
            "minItems": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "dependencies": st.dictionaries(
                names, inner | st.lists(names, min_size=1, max_size=2, unique=True), max_size=2
            ),
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "not": inner,
        },
    )


schemas: st.SearchStrategy[dict[str, Any]] = st.recursive(st.just({}), keywords, max_leaves=6)


@given(schemas, values)
def test_a_value_is_valid_where_the_library_finds_it_so(schema: dict[str, Any], value: Any) -> None:
    assert (Validator(schema).fault(value) is None) == Draft4Validator(schema).is_valid(value)


@pytest.mark.parametrize(("value", "valid"), [(0, False), (1, True), (2, False)])
def test_bounds_may_be_excluded(value: int, valid: bool) -> None:
    schema = {"minimum": 0, "exclusiveMinimum": True, "maximum": 2, "exclusiveMaximum": True}
    assert (Validator(schema).fault(value) is None) is valid


def model(name: str, schema: dict[str, Any]) -> Model:
    return Model(id=name, name=name, content_type="application/json", schema=json.dumps(schema))


def test_models_refer_to_each_other_and_to_themselves() -> None:
    base = "https://apigateway.amazonaws.com/restapis/abc/models/"
    tree = {
        "type": "object",
        "required": ["leaf"],
        "properties": {"leaf": {"$ref": f"{base}Leaf"}, "next": {"$ref": f"{base}Tree"}},
    }
    models = {"Tree": model("Tree", tree), "Leaf": model("Leaf", {"type": "string"})}
    validator = compile_schema(json.dumps(tree), models)
    assert fault_of(validator, b'{"leaf": "a", "next": {"leaf": "b"}}') is None
    assert fault_of(validator, b'{"leaf": "a", "next": {"leaf": 1}}') is not None
    assert fault_of(validator, b"{") is not None


def test_a_schema_without_end_is_a_fault_and_no_crash() -> None:
    endless = Validator({"$ref": "#"})
    assert endless.fault({}) == "the schema or the value is nested too deeply"
