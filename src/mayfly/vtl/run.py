"""Carries out a template that was read: writes its text, bounded in steps, size and depth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mayfly.vtl import operators
from mayfly.vtl.errors import TemplateLimitError, TemplateRunError
from mayfly.vtl.instruments import Input, Util
from mayfly.vtl.methods import maps, table
from mayfly.vtl.methods.lists import MOST
from mayfly.vtl.methods.strings import LONGEST
from mayfly.vtl.nodes import (
    Binary,
    Break,
    Call,
    Define,
    Expression,
    Foreach,
    If,
    Index,
    Items,
    Literal,
    Macro,
    MacroCall,
    Node,
    Not,
    Pairs,
    Property,
    Quoted,
    Reference,
    Set,
    Span,
    Stop,
    Text,
)
from mayfly.vtl.values import Listing, text_of

_CHARACTERS_A_STEP = 256  # a string that is made or written costs a step for each


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run of a template may take."""

    steps: int = 200_000
    seconds: float = 0.5  # of processor time, for what a step does not measure: paths, regular expressions
    characters: int = LONGEST  # written
    iterations: int = 1_000  # of one loop, which ends there: API Gateway's quota
    depth: int = 20  # macros and definitions within each other, as Velocity has it


LIMITS = Limits()


class _StopError(Exception):
    """`#stop`."""


class _BreakError(Exception):
    """`#break`."""


@dataclass(frozen=True, slots=True)
class _Block:
    """What `#define` gave a name."""

    nodes: tuple[Node, ...]


class Run:
    """One run of one template."""

    def __init__(
        self, variables: dict[str, Any], macros: Mapping[str, Macro], limits: Limits, spent: Callable[[], float]
    ) -> None:
        """`spent`: how many seconds of processor time were used, since whenever."""
        self._spent = spent
        self._until = spent() + limits.seconds
        self._variables = variables
        self._macros = macros
        self._limits = limits
        self._steps = limits.steps
        self._room = limits.characters
        self._depth = 0

    def text(self, nodes: tuple[Node, ...]) -> str:
        """What the template writes; `TemplateRunError`."""
        out: list[str] = []
        try:
            self._render(nodes, out)
        except (_StopError, _BreakError):
            pass
        except RecursionError as error:
            raise TemplateLimitError("values nest too deep") from error
        return "".join(out)

    def _step(self, characters: int = 0) -> None:
        self._steps -= 1 + characters // _CHARACTERS_A_STEP
        if self._steps < 0:
            raise TemplateLimitError(f"the template takes more than {self._limits.steps} steps")

    def _write(self, text: str, out: list[str]) -> None:
        self._step(len(text))
        self._room -= len(text)
        if self._room < 0:
            raise TemplateLimitError(f"the template writes more than {self._limits.characters} characters")
        out.append(text)

    def _render(self, nodes: tuple[Node, ...], out: list[str]) -> None:
        for node in nodes:
            match node:
                case Text(text):
                    self._write(text, out)
                case Reference():
                    self._show(node, out)
                case Set():
                    self._step()
                    self._assign(node.target, self._value(node.value))
                case If():
                    self._branch(node, out)
                case Foreach():
                    self._loop(node, out)
                case Define(name, body):
                    self._variables[name] = _Block(body)
                case Macro():
                    pass  # known by its name already
                case MacroCall():
                    self._macro(node, out)
                case Break():
                    raise _BreakError
                case Stop():
                    raise _StopError

    def _show(self, node: Reference, out: list[str]) -> None:
        """Write a reference: nothing where there is nothing, as API Gateway does, not its name."""
        value = self._reference(node)
        if node.backslashes:
            if value is None:
                self._write("\\" * node.backslashes + node.literal, out)
                return
            self._write("\\" * (node.backslashes // 2), out)
            if node.backslashes % 2:
                self._write(node.literal, out)
                return
        if isinstance(value, _Block):
            self._nested(value.nodes, out)
        elif value is not None:
            self._write(self._text(value), out)

    def _nested(self, nodes: tuple[Node, ...], out: list[str]) -> None:
        self._depth += 1
        if self._depth > self._limits.depth:
            raise TemplateLimitError(f"macros and definitions nest deeper than {self._limits.depth}")
        try:
            self._render(nodes, out)
        finally:
            self._depth -= 1

    def _branch(self, node: If, out: list[str]) -> None:
        for condition, body in node.branches:
            if operators.truth(self._value(condition)):
                self._render(body, out)
                return
        self._render(node.otherwise, out)

    def _loop(self, node: Foreach, out: list[str]) -> None:
        items = self._value(node.items)
        if isinstance(items, dict):
            items = list(items.values())
        if not isinstance(items, list):
            return
        names = (node.name, "foreach", "velocityCount", "velocityHasNext")
        before = {name: self._variables[name] for name in names if name in self._variables}
        size = min(len(items), self._limits.iterations)
        try:
            for index, item in enumerate(items[:size]):
                self._step()
                self._variables[node.name] = item
                self._place(index, size, before.get("foreach"))
                self._render(node.body, out)
        except _BreakError:
            pass
        finally:
            for name in names:
                self._variables.pop(name, None)
            self._variables.update(before)

    def _place(self, index: int, size: int, parent: Any) -> None:
        """What a template may know of where in a loop it is."""
        more = index + 1 < size
        self._variables["foreach"] = {
            "index": index,
            "count": index + 1,
            "hasNext": more,
            "first": index == 0,
            "last": not more,
            "parent": parent,
        }
        self._variables["velocityCount"] = index + 1
        self._variables["velocityHasNext"] = more

    def _macro(self, node: MacroCall, out: list[str]) -> None:
        self._step()
        macro = self._macros.get(node.name)
        if macro is None:
            return
        values = [self._value(argument) for argument in node.arguments]
        names = macro.parameters if node.body is None else (*macro.parameters, "bodyContent")
        before = {name: self._variables[name] for name in names if name in self._variables}
        for place, name in enumerate(macro.parameters):
            self._variables[name] = values[place] if place < len(values) else None
        if node.body is not None:
            self._variables["bodyContent"] = _Block(node.body)
        try:
            self._nested(macro.body, out)
        finally:
            for name in names:
                self._variables.pop(name, None)
            self._variables.update(before)

    # What expressions are worth.

    def _value(self, expression: Expression) -> Any:
        self._step()
        match expression:
            case Literal(value):
                return value
            case Reference():
                value = self._reference(expression)
                return self._block(value) if isinstance(value, _Block) else value
            case Quoted(nodes):
                written: list[str] = []
                self._render(nodes, written)
                return "".join(written)
            case Binary():
                return self._binary(expression)
            case Not(operand):
                return not operators.truth(self._value(operand))
            case Items(items):
                return Listing([self._value(item) for item in items])
            case Pairs(pairs):
                return {_key(self._value(key)): self._value(value) for key, value in pairs}
            case Span(first, last):
                return self._span(self._value(first), self._value(last))

    def _block(self, block: _Block) -> str:
        written: list[str] = []
        self._nested(block.nodes, written)
        return "".join(written)

    def _binary(self, node: Binary) -> Any:
        operator = node.operator
        left = self._value(node.left)
        if operator == "&&":
            return operators.truth(left) and operators.truth(self._value(node.right))
        if operator == "||":
            return operators.truth(left) or operators.truth(self._value(node.right))
        right = self._value(node.right)
        if operator == "==":
            return operators.equal(left, right)
        if operator == "!=":
            return not operators.equal(left, right)
        if operator[0] in "<>":
            return operators.compare(operator, left, right)
        made = operators.arithmetic(operator, left, right)
        return self._made(made) if isinstance(made, str) else made

    def _span(self, first: Any, last: Any) -> Any:
        if not isinstance(first, int) or not isinstance(last, int):
            return None
        if abs(last - first) >= MOST:
            raise TemplateLimitError(f"a range of more than {MOST}")
        self._step(abs(last - first))
        return Listing(range(first, last + 1) if first <= last else range(first, last - 1, -1))

    def _made(self, text: str) -> str:
        """A string that was made, paid for."""
        if len(text) > LONGEST:
            raise TemplateLimitError(f"a string is longer than {LONGEST} characters")
        self._step(len(text))
        return text

    def _text(self, value: Any) -> str:
        return "" if isinstance(value, (Input, Util, _Block)) else text_of(value)

    # References.

    def _reference(self, node: Reference) -> Any:
        self._step()
        value = self._variables.get(node.name)
        for step in node.steps:
            if value is None:
                return None
            value = self._followed(value, step)
        return value

    def _followed(self, value: Any, step: Property | Call | Index) -> Any:
        self._step()
        match step:
            case Property(name):
                return _property(value, name)
            case Index(key):
                return _indexed(value, self._value(key))
            case Call(name, arguments):
                values = tuple([self._value(argument) for argument in arguments])
                if self._spent() > self._until:
                    raise TemplateLimitError(f"the template takes longer than {self._limits.seconds} s")
                if isinstance(value, (Input, Util)):
                    found = value.call(name, values)
                elif isinstance(value, _Block):
                    found = None
                else:
                    if isinstance(value, (str, list, dict)):
                        self._step(len(value))
                    found = table.call(value, name, values)
                return self._made(found) if isinstance(found, str) else found

    def _assign(self, target: Reference, value: Any) -> None:
        if not target.steps:
            self._variables[target.name] = value
            return
        holder = self._variables.get(target.name)
        for step in target.steps[:-1]:
            holder = None if holder is None else self._followed(holder, step)
        match target.steps[-1]:
            case Property(name):
                if isinstance(holder, dict):
                    maps.put(holder, name, value)
            case Index(key):
                _put(holder, self._value(key), value)
            case Call():
                raise TemplateRunError(f"{target.literal} cannot be set")


def _key(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        raise TemplateRunError("a list or map cannot be a key")
    return value


def _property(value: Any, name: str) -> Any:
    if isinstance(value, (Input, Util)):
        return value.property(name)
    if isinstance(value, dict):
        found = maps.get(value, name)
        return found if found is not None or name != "empty" else not value
    if name == "empty" and isinstance(value, (list, str)):
        return not value
    return None


def _indexed(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return maps.get(value, key)
    if isinstance(value, list) and isinstance(key, int) and not isinstance(key, bool):
        return value[key] if -len(value) <= key < len(value) else None
    return None


def _put(holder: Any, key: Any, value: Any) -> None:
    if isinstance(holder, dict):
        maps.put(holder, key, value)
    elif isinstance(holder, list) and isinstance(key, int) and not isinstance(key, bool):
        if not -len(holder) <= key < len(holder):
            raise TemplateRunError(f"index {key} of a list of {len(holder)}")
        holder[key] = value
