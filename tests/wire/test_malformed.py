"""Bodies that are not what they should be get AWS's error, and never more than a bounded amount of work."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.wire import json_values, xml
from mayfly.wire.exchange import Request
from mayfly.wire.operations import Catalogue

from .platform import MODELS

CATALOGUE = Catalogue(MODELS, frozenset({"lambda", "s3", "dynamodb", "iam"}))


def parse(service: str, operation: str, protocol: str, body: bytes, **more: Any) -> dict[str, Any]:
    headers = more.pop("headers", {})
    query = more.pop("query", [])
    labels = more.pop("labels", {})
    request = Request("POST", query, headers, labels, body)
    return CATALOGUE.service(service).operation(operation, protocol).parse(request)


def code(service: str, operation: str, protocol: str, body: bytes, **more: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        parse(service, operation, protocol, body, **more)
    assert caught.value.status == 400
    return caught.value.code


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "Unable to parse"),
        (b"\xff", "Unable to parse"),
        (b'{"TableName": "\\ud800"}', "Unable to parse"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"TableName": 5}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"TableName": 5.5}', "DECIMAL_VALUE can not be converted to a String"),
        (b'{"TableName": true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"TableName": ["a"]}', "Start of list found where not expected"),
        (b'{"TableName": {}}', "Start of structure or map found where not expected."),
        (b'{"ConsistentRead": "yes"}', "STRING_VALUE can not be converted to a Boolean"),
        (b'{"Key": []}', "Start of list found where not expected"),
        (b'{"Key": {"k": "v"}}', "Unexpected value type in payload"),
        (b'{"Key": {"k": {"B": "no base64!"}}}', "Invalid Base64"),
        (b'{"AttributesToGet": {}}', "Start of structure or map found where not expected."),
    ],
)
def test_json_of_the_wrong_form_is_a_serialization_exception(body: bytes, words: str) -> None:
    with pytest.raises(ServiceError) as caught:
        parse("dynamodb", "GetItem", "json", body)
    assert caught.value.code == "SerializationException"
    assert words in caught.value.message


def test_json_null_means_absent() -> None:
    assert parse("dynamodb", "GetItem", "json", b'{"TableName": null, "Key": {}}') == {"Key": {}}


def test_whole_numbers_may_be_written_as_decimals_and_times_in_any_form() -> None:
    assert parse("dynamodb", "ListTables", "json", b'{"Limit": 5.0}') == {"Limit": 5}
    assert code("dynamodb", "ListTables", "json", b'{"Limit": 5.5}') == "SerializationException"


BOMB = b"""<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><Delete>&b;</Delete>"""
OUTSIDE = b"""<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>"""


@pytest.mark.parametrize(
    "body",
    [
        b"not xml",
        b"<Delete>",
        b"<Delete><Object></Delete>",
        b"<Delete/><Delete/>",
        b"<Delete>&undefined;</Delete>",
        b"<Delete>\x00</Delete>",
        b"<!DOCTYPE Delete><Delete/>",
        BOMB,
        OUTSIDE,
        b"<Delete>" + b"<a/>" * 250_000 + b"</Delete>",
        b"<Delete>" + b"<a>" * 200 + b"</a>" * 200 + b"</Delete>",
        b"<Delete><Quiet>perhaps</Quiet></Delete>",
    ],
)
def test_xml_of_the_wrong_form_is_malformed(body: bytes) -> None:
    assert code("s3", "DeleteObjects", "rest-xml", body) == "MalformedXML"


def test_xml_with_namespaces_attributes_and_cdata_is_understood() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
    <s3:AccessControlPolicy xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/"><s3:AccessControlList><s3:Grant>
    <s3:Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><s3:URI><![CDATA[a&b]]></s3:URI>
    </s3:Grantee></s3:Grant></s3:AccessControlList></s3:AccessControlPolicy>"""
    policy = parse("s3", "PutBucketAcl", "rest-xml", body)["AccessControlPolicy"]
    assert policy == {"Grants": [{"Grantee": {"Type": "Group", "URI": "a&b"}}]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"Action=CreateRole&MaxSessionDuration=soon", "MalformedInput"),
        (b"Action=%ff", "MalformedQueryString"),
        (b"a.b" * 100 + b"=1", "MalformedQueryString"),
        (b"&".join([b"a=b"] * 10_001), "MalformedQueryString"),
        (b"\xff", "MalformedQueryString"),
    ],
)
def test_forms_of_the_wrong_form_are_malformed(body: bytes, expected: str) -> None:
    assert code("iam", "CreateRole", "query", body) == expected


def test_lists_in_forms_follow_their_numbers_and_not_their_order() -> None:
    body = b"Action=TagRole&Tags.member.10.Key=c&Tags.member.10.Value=3&Tags.member.2.Key=b&Tags.member.2.Value=2"
    tags = parse("iam", "TagRole", "query", body)["Tags"]
    assert tags == [{"Key": "b", "Value": "2"}, {"Key": "c", "Value": "3"}]


def test_parameters_of_the_wrong_form_name_themselves() -> None:
    with pytest.raises(ServiceError) as caught:
        parse("s3", "ListObjectsV2", "rest-xml", b"", query=[("list-type", "2"), ("max-keys", "many")])
    assert (caught.value.code, caught.value.members["ArgumentName"]) == ("InvalidArgument", "max-keys")
    assert code("lambda", "ListFunctions", "rest-json", b"", query=[("MaxItems", "x")]) == "SerializationException"


@given(st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else(noise: bytes) -> None:
    with contextlib.suppress(ServiceError):
        json_values.decode(noise)
    with contextlib.suppress(xml.MalformedXmlError):
        xml.parse(noise)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["TableName", "Key", "S", "M", "L", "k"]), inner)
        ),
    )
)
def test_json_of_any_types_is_read_or_refused(value: Any) -> None:
    try:
        parse("dynamodb", "PutItem", "json", msgspec.json.encode({"Item": value, "TableName": value}))
    except ServiceError as error:
        assert error.code == "SerializationException"  # noqa: PT017 - either outcome is fine
