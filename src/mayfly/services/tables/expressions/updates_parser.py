"""The grammar of update expressions.

update := ( SET path = value, … | REMOVE path, … | ADD path :v, … | DELETE path :v, … )+   each clause once
value  := operand [ ( + | - ) operand ]
"""

from typing import Literal, cast

from mayfly.services.tables.expressions.ast import (
    Action,
    Add,
    Arithmetic,
    Call,
    Delete,
    Operand,
    Remove,
    Set,
    Update,
)
from mayfly.services.tables.expressions.operand_types import UPDATE_FUNCTIONS
from mayfly.services.tables.expressions.parser import Parser
from mayfly.services.tables.expressions.tokens import Token

_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")


def parse_update(text: str) -> Update:
    """The tree of an update expression; `ExpressionError`."""
    parser = _UpdateParser(text)
    actions: list[Action] = []
    seen: set[str] = set()
    while parser.token.kind != "end":
        clause = parser.clause()
        if clause in seen:
            parser.note("clause", f'The "{clause}" section can only be used once in an update expression;')
        seen.add(clause)
        actions.append(parser.action(clause))
        while parser.take_sign(","):
            actions.append(parser.action(clause))
    parser.finish(("reserved", "function", "clause"))
    return Update(tuple(actions))


class _UpdateParser(Parser):
    def is_keyword(self, token: Token) -> bool:
        return token.text.upper() in _CLAUSES

    def clause(self) -> str:
        for clause in _CLAUSES:
            if self.take_word(clause):
                return clause
        raise self.unexpected()

    def action(self, clause: str) -> Action:
        self.count_operator()
        path = self.path()
        if clause == "SET":
            self.expect_sign("=")
            return Set(path, self._value())
        if clause == "REMOVE":
            return Remove(path)
        return (Add if clause == "ADD" else Delete)(path, self.value_ref())

    def _value(self) -> Operand | Arithmetic:
        if self.token.text == "(" and self._encloses_arithmetic():
            self.at += 1
            value = self._arithmetic()
            self.expect_sign(")")
            return value
        return self._arithmetic()

    def _encloses_arithmetic(self) -> bool:
        """Whether the parenthesis that comes next holds a sum, not the first operand of one."""
        depth = 0
        for token in self.tokens[self.at :]:
            if token.text == "(":
                depth += 1
            elif token.text == ")":
                depth -= 1
                if depth == 0:
                    return False
            elif depth == 1 and token.text in ("+", "-"):
                return True
        return False

    def _arithmetic(self) -> Operand | Arithmetic:
        left = self.argument()
        sign = self.token.text
        if sign not in ("+", "-"):
            return left
        self.count_operator()
        self.at += 1
        return Arithmetic(cast(Literal["+", "-"], sign), left, self.argument())

    def argument(self) -> Operand:
        if self.take_sign("("):
            with self.nested():
                operand = self.argument()
            self.expect_sign(")")
            return operand
        if self.token.kind == "value-ref":
            return self.value_ref()
        if self.starts_call():
            return self._call()
        return self.path()

    def _call(self) -> Call:
        name = self.token.text
        self.count_operator()
        self.at += 1
        operands = self.arguments()
        if name not in UPDATE_FUNCTIONS:
            self.note("function", f"Invalid function name; function: {name}")
        return Call(name, operands)
