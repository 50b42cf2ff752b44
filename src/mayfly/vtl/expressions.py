"""Reads what stands between parentheses and behind dollar signs: references, literals, operators."""

import re
from collections.abc import Callable

from mayfly.vtl.cursor import Cursor
from mayfly.vtl.nodes import (
    Binary,
    Call,
    Expression,
    Index,
    Items,
    Literal,
    Node,
    Not,
    Pairs,
    Property,
    Quoted,
    Reference,
    Span,
    Step,
)

# A hyphen belongs to a name, as in X-Amz-Target, unless it is the last of it.
NAME = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_DOT_NAME = re.compile(rf"\.({NAME.pattern})")
_NUMBER = re.compile(r"-?(?:\d+(?:\.(?![.A-Za-z])\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_UNICODE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_WORD = re.compile(r"(true|false)\b")
_NOT = re.compile(r"\s*(?:!(?!=)|not\b)")
# From what binds least to what binds most.
_LEVELS: tuple[tuple[re.Pattern[str], dict[str, str]], ...] = (
    (re.compile(r"\s*(\|\||or\b)"), {"or": "||"}),
    (re.compile(r"\s*(&&|and\b)"), {"and": "&&"}),
    (re.compile(r"\s*(==|!=|eq\b|ne\b)"), {"eq": "==", "ne": "!="}),
    (re.compile(r"\s*(<=|>=|<|>|lt\b|le\b|gt\b|ge\b)"), {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}),
    (re.compile(r"\s*([+-])"), {}),
    (re.compile(r"\s*([*/%])"), {}),
)
_LONGEST_NUMBER = 100
_DIGITS = "0123456789"

Body = Callable[[str, int], tuple[Node, ...]]


class Expressions:
    """Reads expressions at a cursor. `body` reads the content of a string in double quotes, which lies at a depth."""

    def __init__(self, cursor: Cursor, body: Body) -> None:
        self._cursor = cursor
        self._body = body
        self._no_index: set[int] = set()  # brackets that were tried, so that many in a row are not tried again

    def expression(self, level: int = 0) -> Expression:
        """Whatever may stand behind `=` or between parentheses."""
        if level == len(_LEVELS):
            return self._operand()
        pattern, names = _LEVELS[level]
        left = self.expression(level + 1)
        while (found := self._cursor.match(pattern)) is not None:
            operator = names.get(found[1], found[1])
            left = Binary(operator, left, self.expression(level + 1))
        return left

    def _operand(self) -> Expression:
        cursor = self._cursor
        cursor.deeper()
        if cursor.match(_NOT):
            operand: Expression = Not(self._operand())
        elif cursor.take("("):
            operand = self.expression()
            cursor.need(")", "an expression")
        else:
            operand = self.primary()
        cursor.depth -= 1
        return operand

    def primary(self) -> Expression:
        """A literal or a reference."""
        cursor = self._cursor
        cursor.space()
        first = cursor.peek()
        if first == "$":
            found = self.reference()
            if found is None:
                cursor.fail("a reference was expected")
            return found
        if first in ("'", '"') and first:
            return self._string(first)
        if first == "[":
            return self._list()
        if first == "{":
            return self._map()
        if (number := cursor.match(_NUMBER)) is not None:
            return Literal(self._number(number[0]))
        if (word := cursor.match(_WORD)) is not None:
            return Literal(word[1] == "true")
        return cursor.fail(f"a value was expected, found {repr(first) if first else 'the end'}")

    def _number(self, text: str) -> int | float:
        if len(text) > _LONGEST_NUMBER:
            self._cursor.fail("a number is too long")
        return float(text) if any(char in text for char in ".eE") else int(text)

    def _string(self, quote: str) -> Expression:
        cursor = self._cursor
        start = cursor.at
        at = start + 1
        while True:
            at = cursor.text.find(quote, at)
            if at < 0:
                cursor.fail("a string does not end", start)
            if cursor.text[at + 1 : at + 2] != quote:
                break
            at += 2  # a quote that is doubled is one in the string
        content = cursor.text[start + 1 : at].replace(quote * 2, quote)
        cursor.at = at + 1
        if quote == "'":
            return Literal(content)
        content = _UNICODE.sub(lambda found: _character(found[1]), content)
        if "$" not in content and "#" not in content:
            return Literal(content)
        return Quoted(self._body(content, cursor.depth + 1))

    def _list(self) -> Expression:
        cursor = self._cursor
        cursor.need("[", "a list")
        if cursor.take("]"):
            return Items(())
        first = self.expression()
        if cursor.take(".."):
            last = self.expression()
            cursor.need("]", "a range")
            return Span(first, last)
        items = [first]
        while cursor.take(","):
            items.append(self.expression())
        cursor.need("]", "a list")
        return Items(tuple(items))

    def _map(self) -> Expression:
        cursor = self._cursor
        cursor.need("{", "a map")
        pairs: list[tuple[Expression, Expression]] = []
        if cursor.take("}"):
            return Pairs(())
        while True:
            key = self.expression()
            cursor.need(":", "a map")
            pairs.append((key, self.expression()))
            if not cursor.take(","):
                break
        cursor.need("}", "a map")
        return Pairs(tuple(pairs))

    def reference(self, backslashes: int = 0) -> Reference | None:
        """The reference here; None, and nothing read, where a dollar sign is just that."""
        cursor = self._cursor
        start = cursor.at
        cursor.at += 1
        if cursor.peek() == "!":
            cursor.at += 1
        formal = cursor.peek() == "{"
        if formal:
            cursor.at += 1
        name = cursor.match(NAME)
        if name is None:
            cursor.at = start
            return None
        steps = self._steps()
        if formal:
            cursor.need("}", "a reference in braces")
        return Reference(name[0], steps, cursor.text[start : cursor.at], backslashes)

    def _steps(self) -> tuple[Step, ...]:
        cursor = self._cursor
        steps: list[Step] = []
        while True:
            if (found := cursor.match(_DOT_NAME)) is not None:
                if cursor.peek() == "(":
                    cursor.at += 1
                    steps.append(Call(found[1], self.arguments()))
                else:
                    steps.append(Property(found[1]))
            elif cursor.peek() == "[" and (index := self._index()) is not None:
                steps.append(index)
            else:
                return tuple(steps)

    def _index(self) -> Index | None:
        """`[key]`; None, and nothing read, where a bracket follows a reference for another reason."""
        cursor = self._cursor
        start = cursor.at
        if start in self._no_index:
            return None
        cursor.at += 1
        cursor.space()
        first = cursor.peek()
        if first and (first in "$'\"-" or first in _DIGITS):
            cursor.deeper()
            key = self.primary() if first != "-" or (cursor.peek(1) or "-") in _DIGITS else None
            cursor.depth -= 1
            if key is not None and cursor.take("]"):
                return Index(key)
        self._no_index.add(start)
        cursor.at = start
        return None

    def arguments(self) -> tuple[Expression, ...]:
        """What stands up to the closing parenthesis, commas between."""
        cursor = self._cursor
        if cursor.take(")"):
            return ()
        cursor.deeper()
        found = [self.expression()]
        while cursor.take(","):
            found.append(self.expression())
        cursor.need(")", "the arguments of a method")
        cursor.depth -= 1
        return tuple(found)


def _character(hexadecimal: str) -> str:
    code = int(hexadecimal, 16)
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
