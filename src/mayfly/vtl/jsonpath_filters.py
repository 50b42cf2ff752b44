"""The filters of JSON paths: `[?(@.price < 10 && @.kind in ['a', 'b'])]`. Pure."""

import re
from collections.abc import Callable
from typing import Any, Final, NoReturn, Protocol, TypeAlias

from mayfly.vtl import regexes
from mayfly.vtl.errors import TemplateLimitError, TemplateRunError
from mayfly.vtl.relaxed_json import read


class _Missing:
    """What a path finds where there is nothing; JSON's null is a value."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()
Test: TypeAlias = Callable[[Any, Any], bool]  # of a value, and the root
Term: TypeAlias = Callable[[Any, Any], Any]
_DEEPEST = 30
_OPERATOR = re.compile(
    r"\s*(===|!==|==|!=|<=|>=|<|>|=~|(?:in|nin|subsetof|anyof|noneof|contains|size|empty|exists|IN|NIN|CONTAINS)\b)"
)
_PATH = re.compile(r"""[@$](?:[^\s()\[\]&|=!<>~,]+|\[(?:'[^']*'|"[^"]*"|[^\]'"])*\])*(?:\(\))?""")
_STRING = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_REGEX = re.compile(r"/((?:[^/\\]|\\.)*)/([imsxu]*)", re.DOTALL)
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_UNESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Visits:
    """Counts what a path looks at, up to a bound."""

    def __init__(self, most: int) -> None:
        self._left = most

    def count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TemplateLimitError("a path looks at too many values")


class Finding(Protocol):
    """A path within a filter."""

    def find(self, root: Any, *, outer: Any = None) -> Any: ...


class Reader:
    """Reads the filter that stands at a place in a path; `at` is behind its bracket afterwards."""

    def __init__(self, text: str, at: int, path: Callable[[str], Finding]) -> None:
        self._text = text
        self.at = at
        self._path = path
        self._depth = 0

    def whole(self) -> Test:
        if not self._take("("):
            self._fail("( is missing")
        test = self._any()
        if not self._take(")") or not self._take("]"):
            self._fail(")] is missing")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("||"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda value, root: any(test(value, root) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("&&"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda value, root: all(test(value, root) for test in tests)

    def _one(self) -> Test:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail(f"nested deeper than {_DEEPEST}")
        test = self._test()
        self._depth -= 1
        return test

    def _test(self) -> Test:
        if self._take("!"):
            inner = self._one()
            return lambda value, root: not inner(value, root)
        if self._take("("):
            inner = self._any()
            if not self._take(")"):
                self._fail(") is missing")
            return inner
        left = self._term()
        operator = _OPERATOR.match(self._text, self.at)
        if operator is None:
            return lambda value, root: left(value, root) is not MISSING
        self.at = operator.end()
        compare = _OPERATORS[operator[1].lower()]
        right = self._term()
        return lambda value, root: compare(left(value, root), right(value, root))

    def _term(self) -> Term:
        self._space()
        text, at = self._text, self.at
        char = text[at : at + 1]
        if char in ("@", "$") and char and (match := _PATH.match(text, at)) is not None:
            self.at = match.end()
            path = self._path(match[0])
            if char == "@":
                return lambda value, root: path.find(value, outer=root)
            return lambda value, root: path.find(root, outer=root)
        if (match := _STRING.match(text, at)) is not None:
            self.at = match.end()
            plain = _UNESCAPE.sub(r"\1", match[1] if match[1] is not None else match[2])
            return lambda value, root: plain
        if (match := _REGEX.match(text, at)) is not None:
            self.at = match.end()
            pattern = f"(?{match[2]}){match[1]}" if match[2] else match[1]
            return lambda value, root: pattern
        if (match := _LITERAL.match(text, at)) is not None:
            self.at = match.end()
            literal = read(f"[{match[0]}]")[0]
            return lambda value, root: literal
        if char == "[":
            return self._array()
        return self._fail("a value is missing")

    def _array(self) -> Term:
        end = self._text.find("]", self.at)
        if end < 0:
            self._fail("] is missing")
        items = read(self._text[self.at : end + 1])
        self.at = end + 1
        if not isinstance(items, list):
            self._fail("a list is none")
        return lambda value, root: items

    def _space(self) -> None:
        while self._text[self.at : self.at + 1].isspace():
            self.at += 1

    def _take(self, expected: str) -> bool:
        self._space()
        if not self._text.startswith(expected, self.at):
            return False
        self.at += len(expected)
        return True

    def _fail(self, message: str) -> NoReturn:
        raise TemplateRunError(f"{self._text!r} is no JSONPath: {message} (position {self.at})")


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _ordered(left: Any, right: Any, accept: Callable[[int], bool]) -> bool:
    both_numbers = _is_number(left) and _is_number(right)
    if not both_numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    return accept((left > right) - (left < right))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _within(left: Any, right: Any) -> bool:
    return isinstance(right, list) and any(_equal(left, item) for item in right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return _within(right, left)


def _size(left: Any, right: Any) -> bool:
    return isinstance(left, (str, list, dict)) and len(left) == right


def _matches(left: Any, right: Any) -> bool:
    return isinstance(left, str) and isinstance(right, str) and regexes.matches(left, right)


def _shared(left: Any, right: Any, *, every: bool) -> bool:
    if not isinstance(left, list):
        return False
    return (all if every else any)(_within(item, right) for item in left)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "===": lambda left, right: type(left) is type(right) and _equal(left, right),
    "!=": lambda left, right: not _equal(left, right),
    "!==": lambda left, right: type(left) is not type(right) or not _equal(left, right),
    "<": lambda left, right: _ordered(left, right, lambda order: order < 0),
    "<=": lambda left, right: _ordered(left, right, lambda order: order <= 0),
    ">": lambda left, right: _ordered(left, right, lambda order: order > 0),
    ">=": lambda left, right: _ordered(left, right, lambda order: order >= 0),
    "=~": _matches,
    "in": _within,
    "nin": lambda left, right: not _within(left, right),
    "contains": _contains,
    "size": _size,
    "empty": lambda left, right: isinstance(left, (str, list, dict)) and (len(left) == 0) is bool(right),
    "exists": lambda left, right: (left is not MISSING) is bool(right),
    "subsetof": lambda left, right: _shared(left, right, every=True),
    "anyof": lambda left, right: _shared(left, right, every=False),
    "noneof": lambda left, right: isinstance(left, list) and not _shared(left, right, every=False),
}
