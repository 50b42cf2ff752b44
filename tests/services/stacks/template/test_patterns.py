"""AllowedPattern: matched whole, refused with its reason, and never for long."""

from typing import Any

import pytest

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.template.patterns import check_patterns


async def refused(declaration: dict[str, Any], value: Any, **limits: float) -> str:
    with pytest.raises(ServiceError) as caught:
        await check_patterns({"P": {"Type": "String", **declaration}}, {"P": value}, **limits)
    return caught.value.message


async def test_values_that_match_pass() -> None:
    declared = {"A": {"AllowedPattern": "[a-z]+"}, "B": {"AllowedPattern": r"\d*"}, "C": {}}
    await check_patterns(declared, {"A": "abc", "B": ["1", "22", ""], "C": "?"})


async def test_a_value_has_to_match_as_a_whole() -> None:
    assert await refused({"AllowedPattern": "[a-z]"}, "ab") == "Parameter 'P' must match pattern [a-z]"
    assert await refused({"AllowedPattern": "[a-z]"}, ["a", "B"]) == "Parameter 'P' must match pattern [a-z]"
    described = {"AllowedPattern": "[a-z]+", "ConstraintDescription": "must be lower case"}
    assert await refused(described, "A") == "Parameter P failed to satisfy constraint: must be lower case"


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"\p{L}+", "éß漢", "a1"),
        (r"\pL\p{IsNd}", "a٣", "aa"),
        (r"\P{L}+", "1-_", "1a"),
        (r"[\p{L}\p{M}\p{Z}\p{S}\p{N}\p{P}]*", "Ünï, 1 €!", "a\tb"),
        (r"[^\p{Alpha}\P{ASCII}]+", "12_", "1é"),
        (r"\p{Alnum}[\p{Punct}\]]", "a]", "é]"),
        (r"\\p{2}", r"\pp", "é"),
    ],
)
async def test_properties_of_characters_are_those_of_java(pattern: str, good: str, bad: str) -> None:
    await check_patterns({"P": {"AllowedPattern": pattern}}, {"P": good})
    assert await refused({"AllowedPattern": pattern}, bad) == f"Parameter 'P' must match pattern {pattern}"


async def test_a_property_that_is_not_known_is_named() -> None:
    message = await refused({"AllowedPattern": r"\p{IsLatin}+"}, "a")
    assert message.endswith("P is not a pattern: characters of the property IsLatin are not known")


@pytest.mark.parametrize("pattern", ["(", "(" * 5000 + ")" * 5000, "a{99999999999}"])
async def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    assert (await refused({"AllowedPattern": pattern}, "a")).startswith("Template error: AllowedPattern of parameter P")


async def test_a_pattern_that_does_not_end_is_given_up() -> None:
    message = await refused({"AllowedPattern": "(a*)*b"}, "a" * 4000, time_limit_s=0.5)
    assert message == "Template error: AllowedPattern of one of [P] takes too long to match"
