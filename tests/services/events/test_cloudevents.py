"""CloudEvents and events of a bus, each as the other, with the published package at the other end."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http as binding
from cloudevents.core.v1.event import CloudEvent as Published
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.events import cloudevents_http
from mayfly.services.events.cloudevents import CloudEvent, CloudEventError, from_event, to_event
from mayfly.services.events.cloudevents_http import BATCH, STRUCTURED, UnknownContentError, parse
from mayfly.services.events.entries import make_event
from mayfly.services.events.model import BusKey

BUS = BusKey("000000000000", "us-east-1", "default")
NEEDED = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.sold"}
NOW = 1_700_000_000.0


def lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(headers).items()}


def published(**more: Any) -> Published:
    attributes: dict[str, Any] = {
        "id": "42",
        "source": "https://shop.example/eu",
        "type": "com.example.sold",
        "specversion": "1.0",
    }
    time = datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)
    attributes |= {"time": time, "subject": "order/7 ü", "tenant": "t1", "datacontenttype": "application/json"}
    return Published({**attributes, **more}, {"total": 12.5})


@pytest.mark.parametrize("send", [binding.to_binary_event, binding.to_structured_event])
def test_what_the_published_package_sends_becomes_an_event_with_all_attributes(send: Any) -> None:
    message = send(published())
    (cloud,) = parse(lower(message.headers), message.body)
    event = json.loads(to_event(cloud, BUS, NOW).text)
    assert event["id"] == "42"
    assert event["source"] == "https://shop.example/eu"
    assert event["detail-type"] == "com.example.sold"
    assert event["time"] == "2026-01-31T12:00:00Z"
    assert event["resources"] == ["order/7 ü"]
    assert event["detail"] == {"total": 12.5}
    assert event["cloudevent"]["tenant"] == "t1"
    assert event["account"] == "000000000000"


@pytest.mark.parametrize("render", [cloudevents_http.binary, cloudevents_http.whole])
def test_what_an_event_becomes_the_published_package_reads(render: Any) -> None:
    event = make_event(BUS, "e1", NOW, "aws.s3", "Object Created", b'{"n": "\xc3\xa9"}', ("arn:a", "arn:b"))
    headers, body = render(from_event(event.text))
    found = binding.from_http_event(binding.HTTPMessage(dict(headers), body))
    assert found.get_id() == "e1"
    assert found.get_source() == "aws.s3"
    assert found.get_type() == "Object Created"
    assert found.get_subject() == "arn:a"
    assert json.loads(found.get_extension("resources")) == ["arn:a", "arn:b"]
    assert found.get_extension("region") == "us-east-1"
    assert found.get_data() == {"n": "é"}


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "a", "data_base64"]), inner),
    max_leaves=5,
)
attributes = st.fixed_dictionaries(
    {"specversion": st.just("1.0"), "id": texts, "source": texts.filter(lambda one: one[:4] != "aws."), "type": texts},
    optional={"subject": texts, "tenant": texts, "time": st.just("2026-01-31T12:00:00.5Z")},
)
clouds = st.one_of(
    st.builds(lambda a, v: CloudEvent(a, json.dumps(v).encode()), attributes, values),
    st.builds(
        lambda a, v: CloudEvent({**a, "datacontenttype": "text/plain"}, json.dumps(v).encode()),
        attributes,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    ),
    st.builds(
        lambda a, v: CloudEvent({**a, "datacontenttype": "application/x-any"}, binary=v),
        attributes,
        st.binary(min_size=1),
    ),
    st.builds(CloudEvent, attributes),
)


def meaning(cloud: CloudEvent) -> Any:
    return dict(cloud.attributes), None if cloud.data is None else json.dumps(json.loads(cloud.data)), cloud.binary


@given(cloud=clouds)
def test_a_cloudevent_comes_back_from_a_bus_as_it_was(cloud: CloudEvent) -> None:
    named, data, binary = meaning(from_event(to_event(cloud, BUS, NOW).text))
    if data is None and "datacontenttype" not in named and cloud.data is not None:
        data = "{}"  # an event with no data, and one with an empty object of no type, have the same detail
    assert (named, data, binary) == meaning(cloud)


@given(cloud=clouds)
def test_structured_mode_carries_everything(cloud: CloudEvent) -> None:
    headers, body = cloudevents_http.whole(cloud)
    (found,) = parse(lower(headers), body)
    assert meaning(found) == meaning(cloud)


@given(cloud=clouds)
def test_binary_mode_carries_everything_in_headers_of_printable_ascii(cloud: CloudEvent) -> None:
    headers, body = cloudevents_http.binary(cloud)
    assert all(value.isascii() and value.isprintable() and value == value.strip() for _, value in headers)
    (found,) = parse(lower(headers), body)
    named = {**cloud.attributes}
    if cloud.data is not None:
        named.setdefault("datacontenttype", "application/json")
    assert meaning(found) == (named, *meaning(cloud)[1:])


def test_a_batch_is_several_events_and_wrong_as_a_whole_if_one_is() -> None:
    body = json.dumps([NEEDED, {**NEEDED, "id": "2", "data": [1]}]).encode()
    assert [cloud.attributes["id"] for cloud in parse({"content-type": BATCH}, body)] == ["1", "2"]
    with pytest.raises(CloudEventError, match="event 1 of the batch: the attribute id is missing"):
        parse({"content-type": BATCH}, json.dumps([NEEDED, {**NEEDED, "id": ""}]).encode())
    assert parse({"content-type": BATCH}, b"[]") == []


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({**NEEDED, "specversion": "0.3"}, "specversion is '0.3'"),
        ({**NEEDED, "type": None}, "the attribute type is missing"),
        ({**NEEDED, "Upper": "x"}, "'Upper' is no name of an attribute"),
        ({**NEEDED, "time": "yesterday"}, "time is no timestamp"),
        ({**NEEDED, "time": "2026-02-30T00:00:00Z"}, "time is no timestamp"),
        ({**NEEDED, "ext": {"a": 1}}, "the attribute ext is neither"),
        ({**NEEDED, "data": 1, "data_base64": "eA=="}, "exclude each other"),
        ({**NEEDED, "data_base64": "%"}, "data_base64 is no base64"),
        ([NEEDED], "a CloudEvent is a JSON object"),
    ],
)
def test_what_is_no_cloudevent_is_refused_with_the_reason(members: Any, reason: str) -> None:
    with pytest.raises(CloudEventError, match=reason.replace("(", r"\(")):
        parse({"content-type": STRUCTURED}, json.dumps(members).encode())


@pytest.mark.parametrize("content_type", ["application/json", "application/cloudevents+avro", ""])
def test_other_content_is_no_cloudevent(content_type: str) -> None:
    with pytest.raises(UnknownContentError):
        parse({"content-type": content_type}, b"{}")


@pytest.mark.parametrize("source", ["aws.ec2", "mayfly.functions"])
def test_sources_of_the_platform_are_not_for_others(source: str) -> None:
    with pytest.raises(CloudEventError, match="platform's own"):
        to_event(CloudEvent({**NEEDED, "source": source}), BUS, NOW)


def test_what_a_rule_makes_of_an_event_is_the_data() -> None:
    event = make_event(BUS, "e1", NOW, "shop", "sold", b'{"n": 1}')
    cloud = from_event(event.text, b'"just this"')
    assert cloud.data == b'"just this"'
    assert cloud.attributes["type"] == "sold"
