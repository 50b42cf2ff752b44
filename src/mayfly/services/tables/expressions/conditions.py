"""Whether an item satisfies a condition."""

from mayfly.services.tables.expressions.ast import (
    And,
    Between,
    Call,
    Comparator,
    Compare,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Or,
    Path,
)
from mayfly.services.tables.expressions.paths import resolve
from mayfly.services.tables.values import ORDERED, AttributeValue, Item, kind_of, rank


def holds(condition: Condition, item: Item | None) -> bool:
    """Whether `item` (None: there is none, which is the same as one without attributes) satisfies a bound condition."""
    return _holds(condition, item or {})


def _holds(condition: Condition, item: Item) -> bool:
    match condition:
        case And(left, right):
            return _holds(left, item) and _holds(right, item)
        case Or(left, right):
            return _holds(left, item) or _holds(right, item)
        case Not(inner):
            return not _holds(inner, item)
        case Compare(operator, left, right):
            return compares(operator, value_of(left, item), value_of(right, item))
        case Between(operand, low, high):
            value = value_of(operand, item)
            return compares(">=", value, value_of(low, item)) and compares("<=", value, value_of(high, item))
        case In(operand, options):
            value = value_of(operand, item)
            return value is not None and any(value == value_of(option, item) for option in options)
        case Call(function, operands):
            return _called(function, [value_of(operand, item) for operand in operands])


def value_of(operand: Operand, item: Item) -> AttributeValue | None:
    """What an operand of a condition stands for, or None when the item has no such thing."""
    match operand:
        case Literal(value):
            return value
        case Path():
            return resolve(operand, item)
        case Call("size", (measured,)):
            found = value_of(measured, item)
            size = None if found is None else size_of(found)
            return None if size is None else {"N": str(size)}
    raise AssertionError(f"{operand} is no operand of a bound condition")


def size_of(value: AttributeValue) -> int | None:
    """What `size` says: UTF-16 units of a string, bytes of a binary, members of anything else that has some."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode("utf-16-le", "surrogatepass")) // 2
    if kind in ("N", "BOOL", "NULL"):
        return None
    return len(content)


def compares(operator: Comparator, left: AttributeValue | None, right: AttributeValue | None) -> bool:
    """One comparison. What is missing is unequal to everything; what is of two types has no order."""
    if operator == "=":
        return left is not None and left == right
    if operator == "<>":
        return left is None or left != right
    if left is None or right is None:
        return False
    kind = kind_of(left)
    if kind != kind_of(right) or kind not in ORDERED:
        return False
    low, high = rank(left), rank(right)
    if operator == "<":
        return bool(low < high)
    if operator == "<=":
        return bool(low <= high)
    return bool(low > high) if operator == ">" else bool(low >= high)


def _called(function: str, operands: list[AttributeValue | None]) -> bool:
    value = operands[0]
    if function == "attribute_exists":
        return value is not None
    if function == "attribute_not_exists":
        return value is None
    other = operands[1]
    if value is None or other is None:
        return False
    if function == "attribute_type":
        return bool(kind_of(value) == other["S"])
    if function == "begins_with":
        return begins_with(value, other)
    return contains(value, other)


def begins_with(value: AttributeValue, prefix: AttributeValue) -> bool:
    """Whether a string or binary starts with another of its type."""
    kind = kind_of(value)
    return kind in ("S", "B") and kind == kind_of(prefix) and bool(value[kind].startswith(prefix[kind]))


def contains(value: AttributeValue, part: AttributeValue) -> bool:
    """Whether a string has a substring, a set an element, or a list an element."""
    ((kind, content),) = value.items()
    ((part_kind, part_content),) = part.items()
    if kind == "L":
        return bool(part in content)
    if kind in ("S", "B"):
        return part_kind == kind and bool(part_content in content)
    return kind == part_kind + "S" and bool(part_content in content)
