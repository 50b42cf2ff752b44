"""Random passwords."""

import random
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.configs.secrets import passwords
from mayfly.services.contract import ServiceError

FLAGS = ("ExcludeLowercase", "ExcludeUppercase", "ExcludeNumbers", "ExcludePunctuation")
KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)


@given(
    st.integers(4, 64),
    st.sets(st.sampled_from(FLAGS), max_size=3),
    st.text(string.printable, max_size=9),
    st.integers(),
)
def test_a_password_has_every_kind_that_is_not_excluded_and_nothing_that_is(
    length: int, flags: set[str], excluded: str, seed: int
) -> None:
    params: dict[str, Any] = {"PasswordLength": length, "ExcludeCharacters": excluded, **dict.fromkeys(flags, True)}
    found = passwords.password(params, random.Random(seed).randrange)
    assert len(found) == length
    assert not set(found) & set(excluded)
    for flag, kind in zip(FLAGS, KINDS, strict=True):
        left = set(kind) - set(excluded)
        assert bool(set(found) & set(kind)) == (flag not in flags and bool(left))


def test_a_password_without_requirements_may_be_one_character_and_a_space() -> None:
    params = {"PasswordLength": 1, "RequireEachIncludedType": False, "IncludeSpace": True}
    assert len(passwords.password(params, random.Random(1).randrange)) == 1


@pytest.mark.parametrize("params", [{"PasswordLength": 3}, dict.fromkeys(FLAGS, True)])
def test_a_password_that_cannot_be_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="InvalidParameterException"):
        passwords.password(params, random.Random(1).randrange)
