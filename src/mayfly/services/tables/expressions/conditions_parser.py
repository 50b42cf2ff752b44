"""The grammar of conditions: ConditionExpression, FilterExpression and KeyConditionExpression.

    or      := and ( OR and )*
    and     := not ( AND not )*
    not     := NOT not | primary
    primary := operand comparator operand | operand BETWEEN operand AND operand | operand IN ( operand, … )
             | function ( operand, … ) | ( or )

A parenthesis may open a condition or an operand. Both are read by the same rule, and what follows the closing one
decides which it was, so the parser never goes back.
"""

from typing import cast

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
    ValueRef,
)
from mayfly.services.tables.expressions.errors import ExpressionError
from mayfly.services.tables.expressions.operand_types import CONDITION_FUNCTIONS
from mayfly.services.tables.expressions.parser import Parser
from mayfly.services.tables.expressions.tokens import Token

COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
MAX_IN_OPERANDS = 100
_KEYWORDS = frozenset({"AND", "OR", "NOT", "IN", "BETWEEN"})


def parse_condition(text: str) -> Condition:
    """The tree of a condition; `ExpressionError`."""
    parser = _ConditionParser(text)
    condition = parser.either()
    parser.finish(("parentheses", "function", "misuse", "reserved"))
    return condition


class _ConditionParser(Parser):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._groups: dict[int, int] = {}  # where parentheses closed, and where those opened

    def is_keyword(self, token: Token) -> bool:
        return token.text.upper() in _KEYWORDS

    def either(self) -> Condition:
        return self._condition(self._or())

    def _or(self) -> Condition | Operand:
        left = self._and()
        while self.token.is_word("OR"):
            left = self._condition(left)
            self._operator()
            left = Or(left, self._condition(self._and()))
        return left

    def _and(self) -> Condition | Operand:
        left = self._not()
        while self.token.is_word("AND"):
            left = self._condition(left)
            self._operator()
            left = And(left, self._condition(self._not()))
        return left

    def _not(self) -> Condition | Operand:
        # A run of NOTs is counted rather than nested, so that it cannot exhaust the stack.
        negations = 0
        while self.token.is_word("NOT"):
            self._operator()
            negations += 1
        node = self._primary()
        for _ in range(negations):
            node = Not(self._condition(node))
        return node

    def _operator(self) -> None:
        self.count_operator()
        self.at += 1

    def _primary(self) -> Condition | Operand:
        node = self._group() if self.token.text == "(" else self._operand()
        token = self.token
        if token.text in COMPARATORS:
            left = self._comparable(node)
            self._operator()
            return Compare(cast(Comparator, token.text), left, self._comparable(self.argument()))
        if token.is_word("BETWEEN"):
            operand = self._comparable(node)
            self._operator()
            low = self._comparable(self.argument())
            if not self.take_word("AND"):
                raise self.unexpected()
            return Between(operand, low, self._comparable(self.argument()))
        if token.is_word("IN"):
            operand = self._comparable(node)
            self._operator()
            return In(operand, self._options())
        return node

    def _options(self) -> tuple[Operand, ...]:
        options = tuple(self._comparable(option) for option in self.arguments())
        if len(options) > MAX_IN_OPERANDS:
            raise ExpressionError(
                f"The IN operator is provided with too many operands; number of operands: {len(options)}"
            )
        return options

    def _group(self) -> Condition | Operand:
        opened = self.at
        self.expect_sign("(")
        with self.nested():
            node = self._or()
        closed = self.at
        self.expect_sign(")")
        if self._groups.get(closed - 1) == opened + 1:
            self.note("parentheses", "The expression has redundant parentheses;")
        self._groups[closed] = opened
        # "(a).b" is the same as "a.b".
        return self.longer_path(list(node.parts)) if isinstance(node, Path) else node

    def argument(self) -> Operand:
        if self.token.text == "(":
            node = self._group()
            if not isinstance(node, Path | ValueRef | Call | Literal):
                raise self.unexpected()
            return node
        return self._operand()

    def _operand(self) -> Operand:
        if self.token.kind == "value-ref":
            return self.value_ref()
        if self.starts_call():
            return self._call()
        return self.path()

    def _call(self) -> Call:
        name = self.token.text
        self._operator()
        operands = tuple(self._comparable(operand) for operand in self.arguments())
        if name not in CONDITION_FUNCTIONS:
            self.note("function", f"Invalid function name; function: {name}")
        return Call(name, operands)

    def _note_misuse(self, call: Call) -> None:
        self.note(
            "misuse",
            f"The function is not allowed to be used this way in an expression; function: {call.function}",
        )

    def _condition(self, node: Condition | Operand) -> Condition:
        """`node` where a condition must stand."""
        if isinstance(node, Path | ValueRef | Literal):
            raise self.unexpected()
        if isinstance(node, Call) and node.function == "size":
            self._note_misuse(node)
        return node

    def _comparable(self, node: Condition | Operand) -> Operand:
        """`node` where a value must stand."""
        if isinstance(node, Call):
            if node.function != "size":
                self._note_misuse(node)
            return node
        if not isinstance(node, Path | ValueRef | Literal):
            raise self.unexpected()
        return node
