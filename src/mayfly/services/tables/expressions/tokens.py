"""Text of an expression into tokens, and the wording of syntax errors."""

import re
from typing import Literal, NamedTuple, TypeAlias

from mayfly.services.tables.expressions.errors import ExpressionError

TokenKind: TypeAlias = Literal["name", "name-ref", "value-ref", "number", "sign", "end"]

_TOKEN = re.compile(
    r"[ \t\r\n]*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<nameref>#[A-Za-z0-9_]+)|(?P<valueref>:[A-Za-z0-9_]+)"
    r"|(?P<number>[0-9]+)|(?P<sign><=|>=|<>|[=<>()\[\],.+-])|(?P<end>\Z)|(?P<wrong>.))",
    re.DOTALL,
)
_KINDS: dict[str, TokenKind] = {
    "name": "name",
    "nameref": "name-ref",
    "valueref": "value-ref",
    "number": "number",
    "sign": "sign",
    "end": "end",
}


class Token(NamedTuple):
    """A piece of the text, from `start` to `end`."""

    kind: TokenKind
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Whether this is the keyword `word` (upper case), in any case of letters."""
        return self.kind == "name" and self.text.upper() == word


def tokenize(text: str) -> list[Token]:
    """All tokens, the last of kind "end"; `ExpressionError` at a character that starts none."""
    tokens: list[Token] = []
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        assert match is not None, "the last alternative matches any character"
        group = match.lastgroup or ""
        if group == "wrong":
            raise _unreadable(text, tokens, match.start(group))
        token = Token(_KINDS[group], match[group], match.start(group), match.end(group))
        tokens.append(token)
        if token.kind == "end":
            return tokens
        at = token.end


def _unreadable(text: str, tokens: list[Token], at: int) -> ExpressionError:
    start = tokens[-1].start if tokens else at
    following = _TOKEN.match(text, at + 1)
    end = at + 1
    if following is not None and following.lastgroup not in (None, "wrong", "end"):
        end = following.end()
    return ExpressionError(f'Syntax error; token: "{text[at]}", near: "{text[start:end]}"')


def syntax_error(text: str, tokens: list[Token], at: int) -> ExpressionError:
    """What DynamoDB says of an unexpected token: itself, and it between its neighbours as they are written."""
    token = tokens[at]
    shown = "<EOF>" if token.kind == "end" else token.text
    if token.kind == "end":
        start, end = tokens[max(0, at - 2)].start, tokens[max(0, at - 1)].end
    else:
        start = tokens[max(0, at - 1)].start
        following = tokens[at + 1]
        end = token.end if following.kind == "end" else following.end
    return ExpressionError(f'Syntax error; token: "{shown}", near: "{text[start:end]}"')
