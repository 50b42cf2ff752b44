"""Attributes of messages: which there may be, their digest, and which a receiver gets."""

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.queues import message_attributes
from mayfly.services.queues.errors import InvalidValueError

names = st.text("abcXYZ019_-", min_size=1, max_size=20)
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"], max_codepoint=0xFFFD), min_size=1, max_size=20)
values = st.one_of(
    st.tuples(st.sampled_from(["String", "String.kind"]), texts),
    st.tuples(st.sampled_from(["Number", "Number.int"]), st.integers(-(10**30), 10**30).map(str)),
    st.tuples(st.sampled_from(["Binary", "Binary.png"]), st.binary(min_size=1, max_size=20)),
)


def sent(kind: str, value: Any) -> dict[str, Any]:
    return {"DataType": kind, ("BinaryValue" if kind.startswith("Binary") else "StringValue"): value}


@given(st.dictionaries(names, values, max_size=10))
def test_the_digest_is_the_one_of_the_developer_guide(attributes: dict[str, tuple[str, Any]]) -> None:
    checked = message_attributes.checked({name: sent(*value) for name, value in attributes.items()})
    expected = b""
    for name in sorted(attributes):
        kind, value = attributes[name]
        for part in (name.encode(), kind.encode()):
            expected += struct.pack("!I", len(part)) + part
        data = value if isinstance(value, bytes) else value.encode()
        expected += (b"\x02" if isinstance(value, bytes) else b"\x01") + struct.pack("!I", len(data)) + data
    assert message_attributes.digest(checked) == hashlib.md5(expected).hexdigest()
    shaped = message_attributes.shaped(checked)
    assert shaped == {name: sent(*value) for name, value in attributes.items()}


def test_the_digest_of_a_known_message() -> None:
    value = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
    checked = message_attributes.checked({"attr1": sent("Binary", value)})
    assert message_attributes.digest(checked) == "8cbe4db156db8a94db8b801b7addb984"


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("", sent("String", "x")),
        ("a b", sent("String", "x")),
        (".a", sent("String", "x")),
        ("a..b", sent("String", "x")),
        ("AWS.a", sent("String", "x")),
        ("amazon.a", sent("String", "x")),
        ("a" * 257, sent("String", "x")),
        ("a", sent("", "x")),
        ("a", sent("Text", "x")),
        ("a", sent("Stringy", "x")),
        ("a", sent("String", "")),
        ("a", sent("String", "\x00")),
        ("a", sent("Number", "twelve")),
        ("a", sent("Number", "1e200")),
        ("a", sent("Number", "NaN")),
        ("a", {"DataType": "Binary", "StringValue": "x"}),
        ("a", {"DataType": "String", "StringValue": "x", "StringListValues": ["y"]}),
    ],
)
def test_attributes_that_break_a_rule_are_refused(name: str, attribute: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError):
        message_attributes.checked({name: attribute})


def test_there_are_at_most_ten() -> None:
    with pytest.raises(InvalidValueError, match="exceeds the allowed maximum"):
        message_attributes.checked({str(number): sent("String", "x") for number in range(11)})


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["All"], "ab.c ab.d x"),
        ([".*"], "ab.c ab.d x"),
        (["ab.*"], "ab.c ab.d"),
        (["ab*"], "ab.c ab.d"),
        (["x", "nothing"], "x"),
        (["a"], ""),
    ],
)
def test_a_receiver_gets_those_it_names(wanted: list[str], found: str) -> None:
    attributes = dict.fromkeys(["ab.c", "ab.d", "x"], ("String", "v"))
    assert " ".join(sorted(message_attributes.selected(attributes, wanted))) == found


@given(st.text(max_size=30))
def test_a_forbidden_character_is_found_wherever_it_stands(text: str) -> None:
    assert message_attributes.forbidden_character(text.translate({0: None, 1: None}) + "\x01") is not None
    kept = "".join(character for character in text if character.isprintable())
    assert message_attributes.forbidden_character(kept) is None or any(ord(each) in (0xFFFE, 0xFFFF) for each in kept)
