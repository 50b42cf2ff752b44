"""What targets get of events. The examples are what Amazon EventBridge is known to send for them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.events.model import Event, Target, Transformer
from mayfly.services.events.paths import MISSING, Path
from mayfly.services.events.transformation import Circumstances, NotJsonError, rendering, unknown_placeholders

DETAIL = {
    "command": "update-account",
    "payload": {"acc_id": "0a787ecb-4015", "sf_id": "baz"},
    "listsingle": ["HIGH"],
    "listmulti": ["ACTIVE", "INACTIVE"],
    "valid": True,
    "count": 3,
}
FIELDS = {
    "version": "0",
    "id": "1",
    "detail-type": "update",
    "source": "core",
    "account": "000000000000",
    "time": "2022-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": DETAIL,
}
EVENT = Event("1", 1.0, msgspec.json.encode(FIELDS))
WHERE = Circumstances("arn:aws:events:us-east-1:000000000000:rule/r", "r", "2022-01-01T00:00:01Z")
PATHS = {
    "userId": "$.detail.payload.acc_id",
    "payload": "$.detail.payload",
    "systemstring": "$.detail.awsAccountId",
    "listsingle": "$.detail.listsingle",
    "listmulti": "$.detail.listmulti",
    "valid": "$.detail.valid",
    "count": "$.detail.count",
    "detail-type": "$.detail-type",
}


def made(template: str, event: Event = EVENT, paths: dict[str, str] | None = None) -> str:
    render = rendering(Target("t", "arn", transformer=Transformer(template, PATHS if paths is None else paths)))
    assert render is not None
    return render(event, WHERE).decode()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"id" : <userId>}', {"id": "0a787ecb-4015"}),
        ('{"id" : "<userId>"}', {"id": "0a787ecb-4015"}),
        ('{"many": "users/<userId>/second/<userId>"}', {"many": "users/0a787ecb-4015/second/0a787ecb-4015"}),
        ('{"path": "users/<userId>", "bod": <payload>}', {"path": "users/0a787ecb-4015", "bod": DETAIL["payload"]}),
        ('{"list": [<userId>, "hardcoded"], "all": <listmulti>}', {"list": ["0a787ecb-4015", "hardcoded"],
                                                                   "all": ["ACTIVE", "INACTIVE"]}),
        ('{"missing": <systemstring>, "quoted": "<systemstring>"}', {"missing": "", "quoted": ""}),
        ('{"count": <count>, "text": "<count> <valid>"}', {"count": 3, "text": "3 true"}),
        ("<payload>", DETAIL["payload"]),
        ('{"a": "<aws.events.rule-name>", "b": <aws.events.rule-arn>}', {"a": "r", "b": WHERE.rule_arn}),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2022-01-01T00:00:01Z"}),
        ('{"all": <aws.events.event.json>}', {"all": FIELDS}),
        ('{"few": <aws.events.event>}', {"few": {"version": "0", "id": "1", "detailType": "update", "source": "core",
                                                 "account": "000000000000", "time": "2022-01-01T00:00:00Z",
                                                 "region": "us-east-1", "resources": []}}),
        ('{"quote": "say \\"<userId>\\""}', {"quote": 'say "0a787ecb-4015"'}),
    ],
)  # fmt: skip
def test_templates_of_json_make_json(template: str, expected: Any) -> None:
    assert json.loads(made(template)) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('"Event of <detail-type> type, <command>"', '"Event of update type, update-account"'),
        ('"<systemstring> system account id"', '" system account id"'),
        ('"{[/Check with special characters for <detail-type>"', '"{[/Check with special characters for update"'),
        ('"Payload of <payload> and <userId>"', '"Payload of {acc_id:0a787ecb-4015,sf_id:baz} and 0a787ecb-4015"'),
        ('"<listsingle> single"\n"<listmulti> many"', '"[HIGH] single"\n"[ACTIVE,INACTIVE] many"'),
        ('"Command is <valid>!"', '"Command is true!"'),
    ],
)
def test_templates_of_text_make_text(template: str, expected: str) -> None:
    assert made(template, paths={**PATHS, "command": "$.detail.command"}) == expected


@pytest.mark.parametrize(
    "template",
    ['{"payload": "<payload>"}', '{"singlelistitem": "<listsingle>"}', '{"a": "<aws.events.event.json>"}'],
)
def test_what_is_no_string_in_a_string_of_json_is_not_delivered(template: str) -> None:
    with pytest.raises(NotJsonError):
        made(template)


@pytest.mark.parametrize("template", ["{", '{"a": }', "<userId> text", "{<userId>: 1}", "   "])
def test_templates_that_cannot_make_json_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        rendering(Target("t", "arn", transformer=Transformer(template, PATHS)))


def test_reserved_names_cannot_be_given_away() -> None:
    with pytest.raises(ValueError, match="reserved"):
        rendering(Target("t", "arn", transformer=Transformer('"x"', {"aws.events.rule-name": "$.id"})))


def test_placeholders_that_stand_for_nothing_are_found() -> None:
    transformer = Transformer('"<a> <b> <aws.events.rule-arn> < c > <d"', {"a": "$.id"})
    assert unknown_placeholders(transformer) == ["b"]


def test_a_constant_and_a_path_are_what_they_say() -> None:
    def sent(**how: str) -> bytes:
        render = rendering(Target("t", "arn", **how))  # type: ignore[arg-type]
        assert render is not None
        return render(EVENT, WHERE)

    assert sent(input='{"a": 1}') == b'{"a": 1}'
    assert json.loads(sent(input_path="$.detail.payload")) == DETAIL["payload"]
    assert sent(input_path="$.detail.payload.sf_id") == b'"baz"'
    assert sent(input_path="$.detail.nothing") == b"null"
    assert rendering(Target("t", "arn")) is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_outside_quotes_a_variable_is_its_value_whatever_it_says(value: Any) -> None:
    event = Event("1", 1.0, json.dumps({"v": value}).encode())
    assert json.loads(made('{"x": <v>, "y": 1}', event, {"v": "$.v"})) == {"x": value, "y": 1}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_string_breaks_out_of_the_quotes_that_it_is_put_in(text: str) -> None:
    event = Event("1", 1.0, json.dumps({"v": text}).encode())
    assert json.loads(made('{"x": "a<v>b", "y": 1}', event, {"v": "$.v"})) == {"x": f"a{text}b", "y": 1}


@given(VALUES)
def test_a_template_of_json_makes_json_of_its_own_shape_or_nothing(value: Any) -> None:
    event = Event("1", 1.0, json.dumps({"v": value}).encode())
    try:
        written = made('{"x": "<v>", "y": [<v>]}', event, {"v": "$.v"})
    except NotJsonError:
        assert isinstance(value, dict | list)
        return
    assert json.loads(written)["y"] == [value]
    assert json.loads(written).keys() == {"x", "y"}


@given(VALUES)
def test_a_template_of_text_keeps_its_quotes(value: Any) -> None:
    event = Event("1", 1.0, json.dumps({"v": value}).encode())
    written = made('"a <v> b"', event, {"v": "$.v"})
    assert written.startswith('"a ')
    assert written.endswith(' b"')
    assert written.replace("\\\\", "").replace('\\"', "").count('"') == 2


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", {"a": {"b-c": [{"d": 1}, {"d": 2}]}}),
        ("$.a.b-c[1].d", 2),
        ("$.a.b-c[*].d", [1, 2]),
        ("$.a.*[0].d", [1]),
        ("$.a.b-c[9]", MISSING),
        ("$.a.x.y", MISSING),
        ("$.a.x[*]", []),
    ],
)
def test_paths_find_what_they_lead_to(path: str, expected: Any) -> None:
    assert Path(path).find({"a": {"b-c": [{"d": 1}, {"d": 2}]}}) == expected


@pytest.mark.parametrize("path", ["a.b", "$a", "$.", "$..a", "$[x]", "$.a[?(@.b)]", "$.a b", ""])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path"):
        Path(path)
