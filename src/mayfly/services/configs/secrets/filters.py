"""Filters of ListSecrets and BatchGetSecretValue. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mayfly.services.configs.secrets import faults
from mayfly.services.configs.secrets.model import Secret

Test = Callable[[Secret], bool]

_CASELESS = ("description", "all")
# Words as Secrets Manager finds them in "prod/AppBeta" or "COMPANYThings": a capital letter that small ones follow
# begins one.
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+|[^\W_A-Za-z0-9]+")


def tests_of(given: Sequence[Mapping[str, Any]]) -> list[Test]:
    """What they ask for; `ServiceError`."""
    tests = []
    for one in given:
        if "Key" not in one:
            raise faults.invalid_parameter("Invalid filter key")
        if not one.get("Values"):
            raise faults.invalid_parameter(f"Invalid filter values for key: {one['Key']}")
        tests.append(_test(one["Key"], one["Values"]))
    return tests


def _test(key: str, values: Sequence[str]) -> Test:
    """A value that begins with "!" is for secrets that do not match; one of the values is enough."""
    return lambda secret: any(_one(key, value, secret) for value in values)


def _one(key: str, value: str, secret: Secret) -> bool:
    if value.startswith("!"):
        return not _matches(key, value[1:], secret)
    return _matches(key, value, secret)


def _matches(key: str, value: str, secret: Secret) -> bool:
    texts = _texts(key, secret)
    if key not in _CASELESS:
        return any(text.startswith(value) for text in texts)
    words = [word.lower() for text in texts for word in _WORD.findall(text)]
    wanted = [word.lower() for word in _WORD.findall(value)]
    return bool(wanted) and all(any(word.startswith(one) for word in words) for one in wanted)


def _texts(key: str, secret: Secret) -> Sequence[str]:
    """Where something is looked for. Nothing is replicated or owned by a service here."""
    found: dict[str, Sequence[str]] = {
        "name": (secret.name,),
        "description": (secret.description,) if secret.description else (),
        "tag-key": tuple(secret.tags),
        "tag-value": tuple(secret.tags.values()),
    }
    if key == "all":
        return tuple(text for texts in found.values() for text in texts)
    return found.get(key, ())
