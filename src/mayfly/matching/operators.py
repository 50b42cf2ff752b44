"""What an object in a pattern's list asks, such as `{"prefix": "x"}`: the operators, one by one.

Errors say what aws/event-ruler says, and where. Used by `grammar`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mayfly.matching.conditions import (
    AnythingBut,
    Condition,
    Exactly,
    Exists,
    FoldedExactly,
    FoldedPrefix,
    FoldedSuffix,
    InNetwork,
    NoneOf,
    Prefix,
    Range,
    Suffix,
    Wildcard,
)
from mayfly.matching.document import Document, Node
from mayfly.matching.errors import PatternError, Refusal
from mayfly.matching.leaves import address, comparable, folded


@dataclass(frozen=True, slots=True)
class Operators:
    """The operators of one document."""

    document: Document
    error: Refusal

    def fail(self, reason: str, at: int) -> PatternError:
        """The error for something at a place, to be raised."""
        return self.error(reason + self.document.where(at))

    def condition(self, node: Node) -> Condition | None:
        """What an object in a list asks; None: that the field is not there."""
        if not node.members:
            raise self.fail("Match expression name not found", node.end)
        (name, value), *more = node.members
        if name == "exists":
            if value.value is not True and value.value is not False:
                raise self.fail("exists match pattern must be either true or false.", value.at)
            found: Condition | None = Exists() if value.value else None
        elif (read := _OPERATORS.get(name)) is not None:
            found = read(self, value)
        else:
            raise self.fail(f"Unrecognized match type {name}", value.at)
        if more:
            many = name in {"numeric", "anything-but"}
            reason = "Too many elements in numeric expression" if many else "Only one key allowed in match expression"
            raise self.fail(reason, more[0][1].at)
        return found

    def exactly(self, node: Node) -> Condition:
        return Exactly(self._text(node, "exact"))

    def equals_ignore_case(self, node: Node) -> Condition:
        return FoldedExactly(folded(self._text(node, "equals-ignore-case")))

    def prefix(self, node: Node) -> Condition:
        inner = self._without_case(node, "prefix")
        return Prefix(self._text(node, "prefix")) if inner is None else FoldedPrefix(inner)

    def suffix(self, node: Node) -> Condition:
        inner = self._without_case(node, "suffix")
        return Suffix(self._text(node, "suffix")) if inner is None else FoldedSuffix(inner)

    def _without_case(self, node: Node, operator: str) -> str | None:
        """The folded text of `{"prefix": {"equals-ignore-case": …}}`; None: it is not of that form."""
        if node.kind != "object":
            return None
        if not node.members:
            raise self.fail(f"{operator.capitalize()} expression name not found", node.end)
        (name, value), *more = node.members
        if name != "equals-ignore-case":
            raise self.fail(f"Unsupported {operator} pattern: {name}", value.at)
        found = folded(self._text(value, "equals-ignore-case"))
        if more:
            raise self.fail("Only one key allowed in match expression", more[0][1].at)
        return found

    def _text(self, node: Node, operator: str) -> str:
        if node.kind != "string":
            raise self.fail(f"{operator} match pattern must be a string", node.at)
        return node.text

    def wildcard(self, node: Node) -> Condition:
        return self._parts(self._text(node, "wildcard"), node)

    def _parts(self, text: str, node: Node) -> Wildcard:
        """The parts between asterisks. A backslash takes the meaning of an asterisk, or of a backslash, away."""
        parts, at = [""], 0
        while at < len(text):
            letter, after = text[at], text[at + 1 : at + 2]
            if letter == "*":
                if after == "*":
                    raise self.fail(f"Consecutive wildcard characters at pos {_place(text, at)}", node.end)
                parts.append("")
            elif letter == "\\":
                if after not in {"*", "\\"}:
                    raise self.fail(f"Invalid escape character at pos {_place(text, at)}", node.end)
                parts[-1] += after
                at += 1
            else:
                parts[-1] += letter
            at += 1
        return Wildcard(tuple(parts))

    def cidr(self, node: Node) -> Condition:
        pieces = self._text(node, "prefix").rstrip("/").split("/")
        if len(pieces) != 2:
            raise self.error("Malformed CIDR, one '/' required")
        try:
            mask = int(pieces[1]) if pieces[1].isascii() else None
        except ValueError:
            mask = None
        if mask is None:
            raise self.error("Malformed CIDR, mask bits must be an integer")
        if mask < 0:
            raise self.error("Malformed CIDR, mask bits must not be negative")
        base = address(pieces[0])
        if base is None:
            raise self.error(f"Nonstandard IP address: {pieces[0]}")
        bits, value = base
        if mask > bits - 1:
            raise self.error(f"IPv{4 if bits == 32 else 6} mask bits must be < {bits}")
        return InNetwork(bits, mask, value >> (bits - mask))

    def _number(self, node: Node) -> float:
        found = comparable(node.text)
        if found is None:
            raise self.fail(f"Cannot compare number : {node.text}", node.at)
        return found

    def numeric(self, node: Node) -> Condition:
        if node.kind != "array":
            raise self.fail("Value of numeric must be an array.", node.at)
        if not node.items or node.items[0].kind != "string":
            shown = node.items[0].text if node.items else "]"
            raise self.fail(f"Invalid member in numeric match: {shown}", node.items[0].at if node.items else node.end)
        operator, *rest = node.items
        name = operator.text
        if name not in {"=", "<", "<=", ">", ">="}:
            raise self.fail(f"Unrecognized numeric range operator: {name}", rest[0].at if rest else node.end)
        value = self._operand(name, rest[0] if rest else None, node)
        rest = rest[1:]
        if name in {"=", "<", "<="}:
            if rest:
                raise self.fail("Too many elements in numeric expression", rest[0].at)
            return Exactly(value) if name == "=" else Range(None, value, high_open=name == "<")
        if not rest:
            return Range(value, None, low_open=name == ">")
        return self._upper(node, rest, value, low_open=name == ">")

    def _upper(self, node: Node, rest: list[Node], low: float, *, low_open: bool) -> Condition:
        operator, *values = rest
        if operator.kind != "string":
            raise self.fail(f"Bad value in numeric range: {operator.text}", operator.at)
        if operator.text not in {"<", "<="}:
            raise self.fail(f"Bad numeric range operator: {operator.text}", operator.end)
        high = self._operand(operator.text, values[0] if values else None, node)
        if len(values) > 1:
            raise self.fail("Too many terms in numeric range expression", values[1].at)
        if low >= high:
            raise self.fail("Bottom must be less than top", node.end)
        return Range(low, high, low_open, operator.text == "<")

    def _operand(self, operator: str, node: Node | None, around: Node) -> float:
        if node is None or node.kind != "number":
            named = "equals" if operator == "=" else operator
            raise self.fail(f"Value of {named} must be numeric", around.end if node is None else node.at)
        return self._number(node)

    def anything_but(self, node: Node) -> Condition:
        if node.kind == "object":
            return self._none_of(node)
        if node.kind not in {"array", "string", "number"}:
            raise self.fail("Value of anything-but must be an array or single string/number value.", node.at)
        items = node.items if node.kind == "array" else (node,)
        for item in items:
            if item.kind not in {"string", "number"}:
                raise self.fail("Inside anything but list, start|null|boolean is not supported.", item.at)
        kinds = {item.kind for item in items}
        if len(kinds) != 1:
            reason = "Inside anything but list, either all values are number or string, mixed type is not supported"
            raise self.fail(reason, node.end)
        if kinds == {"number"}:
            return AnythingBut(frozenset(map(self._number, items)))
        return AnythingBut(frozenset(item.text for item in items))

    def _none_of(self, node: Node) -> Condition:
        if not node.members:
            raise self.fail("Anything-But expression name not found", node.end)
        (name, value), *more = node.members
        if name not in {"equals-ignore-case", "prefix", "suffix", "wildcard"}:
            raise self.fail(f"Unsupported anything-but pattern: {name}", value.at)
        if value.kind not in {"array", "string", "number"}:
            raise self.fail("Value of anything-but must be an array or single string/number value.", value.at)
        items = value.items if value.kind == "array" else (value,)
        conditions = frozenset(self._negated(name, item) for item in items)
        if more:
            raise self.fail("Too many elements in numeric expression", more[0][1].at)
        return NoneOf(conditions)

    def _negated(self, operator: str, node: Node) -> Condition:
        if node.kind != "string":
            raise self.fail(_NOT_TEXT[operator], node.at)
        if operator == "wildcard":
            return self._parts(node.text, node)
        if operator == "equals-ignore-case":
            return FoldedExactly(folded(node.text))
        if not node.text:
            raise self.fail("Null prefix/suffix not allowed", node.end)
        return Prefix(node.text) if operator == "prefix" else Suffix(node.text)


def _place(text: str, at: int) -> int:
    """Where AWS counts a character of a wildcard: in bytes, behind the opening quote."""
    return len(text[:at].encode("utf-8", "surrogatepass")) + 1


_NOT_TEXT = {
    "prefix": "prefix/suffix match pattern must be a string",
    "suffix": "prefix/suffix match pattern must be a string",
    "wildcard": "wildcard match pattern must be a string",
    "equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
}
_OPERATORS: dict[str, Callable[[Operators, Node], Condition]] = {
    "exactly": Operators.exactly,
    "equals-ignore-case": Operators.equals_ignore_case,
    "prefix": Operators.prefix,
    "suffix": Operators.suffix,
    "wildcard": Operators.wildcard,
    "numeric": Operators.numeric,
    "anything-but": Operators.anything_but,
    "cidr": Operators.cidr,
}
