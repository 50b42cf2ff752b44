"""Which methods a value has."""

from typing import Any

from mayfly.vtl.errors import TemplateRunError
from mayfly.vtl.methods import lists, maps, numbers, objects, strings
from mayfly.vtl.methods.arguments import Method, WrongArgumentsError


def call(value: Any, name: str, arguments: tuple[Any, ...]) -> Any:
    """What a method gives; None where there is no such method for these arguments, as Velocity has it.

    `TemplateRunError` where the method itself fails.
    """
    method = _method(value, name)
    if method is None:
        return None
    try:
        return method(value, *arguments)
    except (WrongArgumentsError, TypeError):
        return None  # TypeError: more or fewer arguments than it takes
    except (ValueError, OverflowError, RecursionError, UnicodeError) as error:
        raise TemplateRunError(f"{name} failed: {error}") from error


def _method(value: Any, name: str) -> Method | None:
    own = None
    if isinstance(value, str):
        own = strings.METHODS.get(name)
    elif isinstance(value, maps.Entry):
        own = maps.ENTRY_METHODS.get(name)
    elif isinstance(value, dict):
        own = maps.METHODS.get(name)
    elif isinstance(value, list):
        own = lists.METHODS.get(name)
    elif isinstance(value, bool):
        own = numbers.BOOLEAN_METHODS.get(name)
    elif isinstance(value, (int, float)):
        own = numbers.METHODS.get(name)
    return own if own is not None else objects.METHODS.get(name)
