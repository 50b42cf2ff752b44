"""What filters of secrets find: words, and what names and tags begin with."""

import pytest

from mayfly.services.configs.secrets import filters
from mayfly.services.configs.secrets.model import Secret


def found(key: str, *values: str, name: str = "prod/AppBeta", description: str = "", tag: str = "") -> bool:
    secret = Secret(name, "abcdef", 0.0, 0.0, description=description, tags={tag: "Value"} if tag else {})
    (test,) = filters.tests_of([{"Key": key, "Values": list(values)}])
    return test(secret)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("prod/AppBeta", "beta", True),
        ("prod_AppBeta", "AppBeta prod", True),
        ("prod/AppBeta", "eta", False),
        ("prod/AppBeta", "/", False),
        ("uat/COMPANYthings", "company", False),
        ("uat/COMPANYthings", "Ythings", True),
        ("uat/COMPANY", "company", True),
        ("Thirdsecret", "secret", False),
    ],
)
def test_all_looks_for_the_beginnings_of_words(name: str, value: str, expected: bool) -> None:
    assert found("all", value, name=name) == expected


def test_names_and_tags_begin_with_a_value_and_descriptions_have_all_of_its_words() -> None:
    assert found("name", "x", "prod/A")
    assert not found("name", "PROD")
    assert found("tag-key", "te", tag="team")
    assert found("tag-value", "V", tag="team")
    assert found("description", "two one", description="one and two")
    assert not found("description", "one three", description="one and two")


def test_a_value_with_an_exclamation_mark_is_for_what_does_not_match() -> None:
    assert found("name", "!dev")
    assert not found("name", "!prod")
