"""Random passwords as GetRandomPassword makes them. Pure, but for the source of randomness, which is a parameter."""

import string
from collections.abc import Callable, Mapping
from typing import Any

from mayfly.services.configs.secrets import faults

DEFAULT_LENGTH = 32
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

# A number from 0 (inclusive) to the given one (exclusive), each as likely as any other.
Draw = Callable[[int], int]


def password(params: Mapping[str, Any], draw: Draw) -> str:
    """A password by the parameters of GetRandomPassword; `ServiceError` where there can be none."""
    length = params.get("PasswordLength", DEFAULT_LENGTH)
    excluded = params.get("ExcludeCharacters", "")
    kinds = [
        alphabet
        for alphabet, wanted in (
            (string.ascii_lowercase, not params.get("ExcludeLowercase", False)),
            (string.ascii_uppercase, not params.get("ExcludeUppercase", False)),
            (string.digits, not params.get("ExcludeNumbers", False)),
            (_PUNCTUATION, not params.get("ExcludePunctuation", False)),
        )
        if wanted
    ]
    kinds = ["".join(one for one in alphabet if one not in excluded) for alphabet in kinds]
    space = " " if params.get("IncludeSpace", False) and " " not in excluded else ""
    if not any(kinds) and not space:
        raise faults.invalid_parameter("The password would have no characters: all of them are excluded.")
    every = params.get("RequireEachIncludedType", True)
    kinds = [one for one in kinds if one]
    if every and length < len(kinds):
        raise faults.invalid_parameter(
            f"Password length cannot be less than the number of character types that it has to have: {len(kinds)}."
        )
    drawn = [alphabet[draw(len(alphabet))] for alphabet in kinds] if every else []
    characters = "".join(kinds) + space
    drawn += [characters[draw(len(characters))] for _ in range(length - len(drawn))]
    for at in range(len(drawn) - 1, 0, -1):  # Fisher and Yates
        other = draw(at + 1)
        drawn[at], drawn[other] = drawn[other], drawn[at]
    return "".join(drawn)
