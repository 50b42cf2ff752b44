"""Arguments of methods, as the kinds that Java wants."""

from collections.abc import Callable
from typing import Any, TypeAlias

from mayfly.vtl.values import text_of

Method: TypeAlias = Callable[..., Any]


class WrongArgumentsError(Exception):
    """There is no method of that name for these arguments: to Velocity, no method at all."""


def text(value: Any) -> str:
    """A string; what API Gateway's own values hold of others is shown as one."""
    if value is None or isinstance(value, (dict, list)):
        raise WrongArgumentsError
    return text_of(value)


def whole(value: Any) -> int:
    """An int."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise WrongArgumentsError
    return value


def items(value: Any) -> list[Any]:
    """A collection."""
    if not isinstance(value, list):
        raise WrongArgumentsError
    return value


def mapping(value: Any) -> dict[Any, Any]:
    """A map."""
    if not isinstance(value, dict):
        raise WrongArgumentsError
    return value
