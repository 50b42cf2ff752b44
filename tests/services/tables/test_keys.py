"""The order-preserving encoding, against the orders that it must preserve."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.tables import keys, numbers
from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.values import AttributeValue


@st.composite
def decimals(draw: st.DrawFn) -> Decimal:
    """Every number that DynamoDB can hold, the edges often."""
    digits = str(draw(st.integers(1, 10**38 - 1) | st.sampled_from([1, 10**38 - 1, 99, 100, 101])))
    low, high = numbers.MIN_EXPONENT, numbers.MAX_EXPONENT
    magnitude = draw(st.integers(low, high) | st.sampled_from([low, high, 0, -1, 1]))
    # Made of its parts, because arithmetic would round to the precision of some context.
    number = Decimal((0, tuple(map(int, digits)), magnitude - len(digits) + 1))
    return draw(st.sampled_from([number, number.copy_negate(), Decimal(0)]))


@given(decimals(), decimals())
def test_encoded_numbers_compare_as_the_numbers_do(left: Decimal, right: Decimal) -> None:
    encoded_left = keys.encode_number(numbers.of_decimal(left))
    encoded_right = keys.encode_number(numbers.of_decimal(right))
    assert (encoded_left < encoded_right) == (left < right)
    assert (encoded_left == encoded_right) == (left == right)


@given(decimals())
def test_a_canonical_number_is_exact_and_stays_as_it_is(number: Decimal) -> None:
    text = numbers.of_decimal(number)
    assert Decimal(text) == number
    assert numbers.canonical(text) == text
    assert numbers.canonical(f"{number:E}") == text


@given(st.lists(st.text(min_size=1), min_size=2))
def test_encoded_strings_compare_by_their_utf8_bytes(texts: list[str]) -> None:
    in_order = sorted(texts, key=lambda text: keys.encode({"S": text}))
    assert all(left.encode() <= right.encode() for left, right in pairwise(in_order))


@given(st.binary(), st.binary())
def test_everything_with_a_prefix_lies_below_its_end(prefix: bytes, rest: bytes) -> None:
    end = keys.prefix_end(prefix)
    if end is None:
        assert prefix.strip(b"\xff") == b""
    else:
        assert prefix <= prefix + rest < end
        assert not end.startswith(prefix)


@given(st.integers(1, 1000), st.binary(min_size=1))
def test_every_key_lies_in_exactly_one_segment(total: int, key: bytes) -> None:
    slot = keys.slot_of(key)
    holding = [low <= slot < high for low, high in (keys.segment_bounds(n, total) for n in range(total))]
    assert holding.count(True) == 1


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.00", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        (".5", "0.5"),
        ("+5.", "5"),
        ("-1.50E-2", "-0.015"),
        ("9" * 38, "9" * 38),
        ("1" + "0" * 125, "1" + "0" * 125),
        ("00012", "12"),
    ],
)
def test_numbers_have_one_text(text: str, canonical: str) -> None:
    assert numbers.canonical(text) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The parameter cannot be converted to a numeric value"),
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("NaN", "The parameter cannot be converted to a numeric value: NaN"),
        ("1_0", "The parameter cannot be converted to a numeric value: 1_0"),
        ("\u0661", "The parameter cannot be converted to a numeric value: \u0661"),
        ("1e126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1e-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
    ],
)
def test_what_is_no_number_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        numbers.canonical(text)
    assert caught.value.message == message


@given(decimals(), decimals())
def test_sums_are_exact_or_refused(left: Decimal, right: Decimal) -> None:
    try:
        total = numbers.add(numbers.of_decimal(left), numbers.of_decimal(right))
    except InvalidError:
        return
    negated = numbers.of_decimal(left.copy_negate())
    try:
        assert numbers.add(total, negated) == numbers.of_decimal(right)
    except InvalidError:
        pytest.fail("a number that was held cannot be had back")


def test_the_worked_numbers_of_the_docstring_hold() -> None:
    value: AttributeValue = {"N": "120"}
    assert keys.encode(value).hex() == "c0840d"
    assert keys.encode({"N": "-120"}).hex() == "3f7bf2ff"
