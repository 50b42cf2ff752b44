"""Whatever a template, a path or a payload is: it is read and run, or refused by name, within bounds."""

import contextlib
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.vtl import relaxed_json
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.jsonpath import compiled
from mayfly.vtl.run import Limits
from mayfly.vtl.template import Scope, compile_template, context_of
from mayfly.vtl.values import json_of, text_of

WORDS = (
    "#if( #elseif( #else #end #set( #foreach( #define( #macro( #break #stop #m( $x $y. ${x} $!x $input.path('$.a') "
    "$input.json('$') $context.requestOverride.header $util.parseJson( in = == && || ! + - * / ( ) [ ] { } , : .. "
    "' \" \\ ## #* *# 1 2.5 true abc .a .size() .add( .put( [0] ['a']"
)
PIECES = st.sampled_from([*WORDS.split(), " ", "\n"])
SMALL = Limits(steps=2_000, characters=10_000)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def run(text: str, body: str = '{"a": [1, {"b": "c"}]}') -> str | None:
    try:
        return compile_template(text).render(Scope(body, {}, context_of({"stage": "s"})), SMALL)
    except TemplateError:
        return None


@given(st.lists(PIECES, max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_pieces_of_templates_in_any_order_are_read_or_refused(text: str) -> None:
    run(text)


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_template_or_refused(text: str) -> None:
    written = run(text)
    if "$" not in text and "#" not in text:
        assert written == text


@given(st.text(alphabet="$@.[]()*?:,'\"ab01=<>!&|~/ ", max_size=40), VALUES)
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_path_or_refused(text: str, value: Any) -> None:
    with contextlib.suppress(TemplateError):
        compiled(text).find(value)


@given(VALUES)
def test_values_go_through_json_unchanged(value: Any) -> None:
    assert json.loads(json_of(value)) == value
    assert relaxed_json.read(json_of(value)) == value
    text_of(value)


@given(st.text(alphabet="{}[],:'\"ab1. \\u0\n", max_size=60))
def test_any_payload_is_read(text: str) -> None:
    relaxed_json.read(text)


@given(st.text(), st.text())
def test_what_is_put_into_json_by_escaping_comes_out_again(key: str, value: str) -> None:
    template = """{"v": "$util.escapeJavaScript($input.path('$.v')).replaceAll("\\\\'", "'")"}"""
    written = run(template, json.dumps({"v": value, "k": key}))
    assert written is not None
    shown = json.loads(written)["v"]
    assert shown == value
