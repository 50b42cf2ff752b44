"""Recursive descent over the tokens of an expression: what the three grammars share, and the grammar of paths.

`conditions_parser` and `updates_parser` build on it. Nothing here needs to know a request's names or values, so a
tree depends on the text alone and can be kept.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, TypeAlias

from mayfly.services.tables.expressions.ast import NameRef, Operand, Path, Projection, ValueRef
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.expressions.reserved import is_reserved
from mayfly.services.tables.expressions.tokens import Token, syntax_error, tokenize

MAX_BYTES = 4096
MAX_OPERATORS = 300
MAX_PATH_PARTS = 32
MAX_NESTING = 100  # of parentheses and functions: far above any real use, far below the interpreter's stack

# What can be wrong with a text that can be parsed.
Mistake: TypeAlias = Literal["reserved", "function", "misuse", "parentheses", "clause"]


class Parser:
    """A position among tokens."""

    def __init__(self, text: str) -> None:
        size = len(text.encode())
        if not text.strip():
            raise ExpressionError("The expression can not be empty;")
        if size > MAX_BYTES:
            raise ExpressionError(
                f"Expression size has exceeded the maximum allowed size; expression size: {size}",
            )
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0
        self._operators = 0
        self._depth = 0
        self._noted: dict[Mistake, str] = {}

    @property
    def token(self) -> Token:
        """The token to be read next."""
        return self.tokens[self.at]

    def unexpected(self) -> ExpressionError:
        """The syntax error of the token to be read next."""
        return syntax_error(self.text, self.tokens, self.at)

    def take_sign(self, sign: str) -> bool:
        """Read `sign` if it comes next."""
        if self.token.kind == "sign" and self.token.text == sign:
            self.at += 1
            return True
        return False

    def expect_sign(self, sign: str) -> None:
        """Read `sign`; `ExpressionError` if something else comes next."""
        if not self.take_sign(sign):
            raise self.unexpected()

    def take_word(self, word: str) -> bool:
        """Read the keyword `word` if it comes next."""
        if self.token.is_word(word):
            self.at += 1
            return True
        return False

    def count_operator(self) -> None:
        """Count one operator or function towards the limit; `ExpressionError` above it."""
        self._operators += 1
        if self._operators > MAX_OPERATORS:
            raise ExpressionError(
                f"The expression contains more operators than the limit allows; limit: {MAX_OPERATORS}"
            )

    @contextmanager
    def nested(self) -> Iterator[None]:
        """One level deeper; `ExpressionError` when that is too deep."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ExpressionError(f"The expression is nested too deeply; limit: {MAX_NESTING}")
        yield
        self._depth -= 1

    def note(self, mistake: Mistake, message: str) -> None:
        """Remember what is wrong but can be parsed; the first of each kind counts."""
        self._noted.setdefault(mistake, message)

    def finish(self, order: Sequence[Mistake]) -> None:
        """Nothing may follow; then the mistakes that were noted are reported in the `order` of their kinds."""
        if self.token.kind != "end":
            raise self.unexpected()
        for mistake in order:
            if mistake in self._noted:
                raise ExpressionError(self._noted[mistake])

    def path(self) -> Path:
        """A document path."""
        return self.longer_path([self._path_name()])

    def longer_path(self, parts: list[str | int | NameRef]) -> Path:
        """The path that begins with `parts` and goes on with whatever members and elements come next."""
        while True:
            if self.take_sign("."):
                parts.append(self._path_name())
            elif self.take_sign("["):
                if self.token.kind != "number":
                    raise self.unexpected()
                parts.append(int(self.token.text))
                self.at += 1
                self.expect_sign("]")
            else:
                break
        if len(parts) > MAX_PATH_PARTS:
            raise ExpressionError(f"The document path has too many nesting elements; nesting elements: {len(parts)}")
        return Path(tuple(parts))

    def _path_name(self) -> str | NameRef:
        token = self.token
        if token.kind == "name-ref":
            self.at += 1
            return NameRef(token.text)
        if token.kind != "name" or self.is_keyword(token):
            raise self.unexpected()
        self.at += 1
        if is_reserved(token.text):
            self.note("reserved", f"Attribute name is a reserved keyword; reserved keyword: {token.text}")
        return token.text

    def is_keyword(self, token: Token) -> bool:
        """Whether the grammar itself uses this word, so that it can never be a name."""
        del token
        return False

    def value_ref(self) -> ValueRef:
        """A placeholder of a value."""
        if self.token.kind != "value-ref":
            raise self.unexpected()
        self.at += 1
        return ValueRef(self.tokens[self.at - 1].text)

    def starts_call(self) -> bool:
        """Whether a function's name and its parenthesis come next."""
        following = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        return self.token.kind == "name" and not self.is_keyword(self.token) and following.text == "("

    def arguments(self) -> tuple[Operand, ...]:
        """The operands of a function or of IN, parentheses included."""
        self.expect_sign("(")
        with self.nested():
            found = [self.argument()]
            while self.take_sign(","):
                found.append(self.argument())
        self.expect_sign(")")
        return tuple(found)

    def argument(self) -> Operand:
        """One operand; each grammar has its own."""
        raise NotImplementedError


def parse_projection(text: str) -> Projection:
    """The tree of a projection expression; `ExpressionError`."""
    parser = Parser(text)
    paths = [parser.path()]
    while parser.take_sign(","):
        paths.append(parser.path())
    parser.finish(("reserved",))
    return Projection(tuple(paths))
