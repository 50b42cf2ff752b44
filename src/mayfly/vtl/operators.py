"""What operators make of two values. Pure.

As in Velocity 1.7, except that null and the empty string are one, as recorded of API Gateway
(`$input.path('$.missing') == ""` holds, and so does `== $null`).
"""

from typing import Any

from mayfly.vtl.errors import TemplateLimitError
from mayfly.vtl.values import text_of

_LARGEST = 2**256  # beyond that, arithmetic is no work for a template


def truth(value: Any) -> bool:
    """Whether a condition holds: anything but null, false and the empty string."""
    return value is not None and value is not False and value != ""


def equal(left: Any, right: Any) -> bool:
    """`==`: numbers by value, others that are alike by what they hold, all else by their text."""
    if left is None or right is None:
        return (left is None or left == "") and (right is None or right == "")
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is type(right):
        return bool(left == right)
    return text_of(left) == text_of(right)


def compare(operator: str, left: Any, right: Any) -> bool:
    """`<`, `<=`, `>`, `>=` of numbers, or of text that is one; false for all else."""
    first, second = as_number(left), as_number(right)
    if first is None or second is None:
        return False
    if operator == "<":
        return first < second
    if operator == "<=":
        return first <= second
    return first > second if operator == ">" else first >= second


def arithmetic(operator: str, left: Any, right: Any) -> Any:
    """`+ - * / %` of numbers; `+` of anything with text is text. Null where there is no result."""
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        return text_of(left) + text_of(right)
    if not is_number(left) or not is_number(right):
        return None
    if operator == "+":
        return _bounded(left + right)
    if operator == "-":
        return _bounded(left - right)
    if operator == "*":
        return _bounded(left * right)
    if right == 0:
        return None
    whole = isinstance(left, int) and isinstance(right, int)
    quotient = abs(left) // abs(right) if whole else left / right
    if whole and (left < 0) != (right < 0):
        quotient = -quotient  # Java's division rounds towards zero
    if operator == "/":
        return quotient
    return left - right * (quotient if whole else int(quotient))


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_number(value: Any) -> int | float | None:
    """A number, or what text says; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, str) or not 0 < len(value) <= 40:
        return None
    try:
        return int(value) if value.lstrip("-").isdecimal() else float(value)
    except ValueError:
        return None


def _bounded(value: int | float) -> int | float:
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise TemplateLimitError("a number is too large")
    return value
