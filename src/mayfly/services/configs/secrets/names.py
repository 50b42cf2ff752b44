"""What a secret may be called, and how a request names one: by its name, its ARN, or its ARN without the end. Pure."""

import re

from mayfly.ids import Arn
from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import faults

SUFFIX = 6
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!\-]{1,512}")


def check_new(name: str) -> None:
    """`ServiceError` unless a secret may be called so."""
    if not _NAME.fullmatch(name):
        raise faults.bad_name()


def candidates(scope: Scope, text: str) -> list[tuple[str, str | None]]:
    """Which secrets a SecretId can mean, the likeliest first: a name each, and the suffix where that was said."""
    if not text.startswith("arn:"):
        check_new(text)
        return [(text, None)]
    try:
        arn = Arn.parse(text)
    except ValueError:
        raise faults.not_found() from None
    if arn.service != "secretsmanager" or (arn.account, arn.region) != scope or not arn.resource.startswith("secret:"):
        raise faults.not_found()
    name = arn.resource.removeprefix("secret:")
    found: list[tuple[str, str | None]] = []
    if len(name) > SUFFIX + 1 and name[-SUFFIX - 1] == "-":
        found.append((name[: -SUFFIX - 1], name[-SUFFIX:]))
    return [*found, (name, None)]
