"""Reads the text of a template: what is written as it is, references, directives, comments.

The rules for white space are Velocity 1.7's: a directive takes the rest of its line if nothing but blanks is left on
it, and `#set` the blanks in front of it, too.
"""

import re
from collections.abc import Mapping
from typing import NoReturn

from mayfly.vtl.cursor import Cursor
from mayfly.vtl.expressions import NAME, Expressions
from mayfly.vtl.nodes import (
    Break,
    Define,
    Expression,
    Foreach,
    If,
    Macro,
    MacroCall,
    Node,
    Reference,
    Set,
    Stop,
    Text,
)

_PLAIN = re.compile(r"[^$#\\]+")
_BACKSLASHES = re.compile(r"\\+")
_DIRECTIVE = re.compile(r"#(?:\{([A-Za-z_][\w@]*)\}|([A-Za-z_@][\w@]*))", re.ASCII)
_LINE_COMMENT = re.compile(r"##[^\r\n]*(?:\r\n|\r|\n)?")
_REST_OF_LINE = re.compile(r"[ \t]*(?:\r\n|\r|\n)")
_OPEN = re.compile(r"[ \t]*\(")
_OPEN_CONDITION = re.compile(r"\s*\(")
_IN = re.compile(r"\s*in\b")
_SEPARATOR = re.compile(r"[\s,]*")
_ENDS = ("elseif", "else", "end")
_REFUSED = {"parse", "include", "evaluate"}


def parse(text: str) -> tuple[tuple[Node, ...], Mapping[str, Macro]]:
    """The nodes of a template and its macros; `TemplateSyntaxError`."""
    macros: dict[str, Macro] = {}
    parser = _Parser(Cursor(text), macros, frozenset(_names_of_macros(text)))
    nodes = parser.nodes(())
    return nodes, macros


def _names_of_macros(text: str) -> set[str]:
    return set(re.findall(r"#\{?macro\}?[ \t]*\(\s*([A-Za-z]\w*)", text))


class _Parser:
    """Reads one template, or the content of one string in it."""

    def __init__(self, cursor: Cursor, macros: dict[str, Macro], known: frozenset[str]) -> None:
        self._cursor = cursor
        self._macros = macros
        self._known = known
        self._expressions = Expressions(cursor, self._content)

    def _content(self, text: str, depth: int) -> tuple[Node, ...]:
        cursor = Cursor(text, depth=depth)
        cursor.deeper()
        return _Parser(cursor, self._macros, self._known).nodes(())

    def nodes(self, ends: tuple[str, ...], opened: int = 0) -> tuple[Node, ...]:
        """Everything up to one of the directives `ends`, which is not read, or to the end of the text.

        `opened`: where the directive stands whose block this is.
        """
        cursor = self._cursor
        found: list[Node] = []
        while not cursor.ended:
            if (plain := cursor.match(_PLAIN)) is not None:
                found.append(Text(plain[0]))
                continue
            char = cursor.peek()
            if char == "\\":
                self._escaped(found)
            elif char == "$":
                found.append(self._dollar(0))
            elif self._hash(found, ends):
                return _joined(found)
        if ends:
            self._unclosed(opened)
        return _joined(found)

    def _unclosed(self, opened: int) -> NoReturn:
        directive = _DIRECTIVE.match(self._cursor.text, opened)
        self._cursor.fail(f"#end is missing for {directive[0] if directive is not None else 'a block'}", opened)

    def _escaped(self, found: list[Node]) -> None:
        """Backslashes, and the reference or directive that they may keep from being one."""
        cursor = self._cursor
        match = cursor.match(_BACKSLASHES)
        count = len(match[0]) if match is not None else 0
        if cursor.peek() == "$":
            node = self._dollar(count)
            if isinstance(node, Text):
                found.append(Text("\\" * count))
            found.append(node)
            return
        directive = _DIRECTIVE.match(cursor.text, cursor.at)
        if directive is not None and self._is_directive(directive[1] or directive[2]):
            found.append(Text("\\" * (count // 2)))
            if count % 2:
                found.append(Text(directive[0]))
                cursor.at = directive.end()
            return
        found.append(Text("\\" * count))

    def _is_directive(self, name: str) -> bool:
        return name in self._known or name in _REFUSED or name in _DIRECTIVES or name in _ENDS

    def _dollar(self, backslashes: int) -> Node:
        reference = self._expressions.reference(backslashes)
        if reference is not None:
            return reference
        self._cursor.at += 1
        return Text("$")

    def _hash(self, found: list[Node], ends: tuple[str, ...]) -> bool:
        """Read what begins with `#`; whether it is one of `ends`."""
        cursor = self._cursor
        following = cursor.peek(1)
        if following == "#":
            cursor.match(_LINE_COMMENT)
            return False
        if following == "*":
            end = cursor.text.find("*#", cursor.at + 2)
            cursor.at = len(cursor.text) if end < 0 else end + 2
            return False
        if following == "[" and cursor.peek(2) == "[":
            end = cursor.text.find("]]#", cursor.at)
            if end < 0:
                cursor.fail("#[[ lacks its ]]#")
            found.append(Text(cursor.text[cursor.at + 3 : end]))
            cursor.at = end + 3
            return False
        if (end_name := self._end_here()) is not None:
            if end_name in ends:
                return True
            cursor.fail(f"#{end_name} has no beginning")
        return self._directive(found)

    def _end_here(self) -> str | None:
        """Which of `#elseif`, `#else` and `#end` stands here; `#endTime` is none of them."""
        match = _DIRECTIVE.match(self._cursor.text, self._cursor.at)
        name = (match[1] or match[2]) if match is not None else ""
        return name if name in _ENDS else None

    def _directive(self, found: list[Node]) -> bool:
        cursor = self._cursor
        start = cursor.at
        match = cursor.match(_DIRECTIVE)
        name = (match[1] or match[2]) if match is not None else ""
        read = _DIRECTIVES.get(name)
        if name in _REFUSED and cursor.match(_OPEN):
            cursor.fail(f"#{name} is not allowed in mapping templates", start)
        if read is not None and self._opens(name, start):
            if name == "set" and _begins_line(cursor.text, start):
                _take_blanks(found)
            cursor.deeper()
            found.append(read(self, start))
            cursor.depth -= 1
        elif name.removeprefix("@") in self._known and cursor.match(_OPEN):
            found.append(self._macro_call(name, start))
        elif name.startswith("@") and cursor.match(_OPEN):  # of a macro that there is not: its name, and nothing else
            self._macro_call(name, start)
            found.append(Text(f"#{name}"))
        else:
            cursor.at = start + 1
            found.append(Text("#"))
        return False

    def _opens(self, name: str, start: int) -> bool:
        """Whether the directive is one here, its parenthesis read; `#set` without is text, others cannot be."""
        cursor = self._cursor
        if cursor.match(_OPEN_CONDITION if name == "if" else _OPEN) is not None or name in ("break", "stop"):
            return True
        if name != "set":
            cursor.fail(f"#{name} lacks its parentheses", start)
        return False

    def _macro_call(self, name: str, start: int) -> MacroCall:
        """`#name(…)`, or `#@name(…) … #end`, which hands its block over as `$bodyContent`."""
        values = self._values()
        self._cursor.match(_REST_OF_LINE)
        if not name.startswith("@"):
            return MacroCall(name, values)
        self._cursor.deeper()
        body = self._block(start)
        self._cursor.depth -= 1
        return MacroCall(name[1:], values, body)

    def _block(self, opened: int) -> tuple[Node, ...]:
        """Everything up to `#end`, and that."""
        body = self.nodes(("end",), opened)
        self._keyword("end")
        return body

    def _values(self) -> tuple[Expression, ...]:
        """Arguments of a macro: separated by blanks or commas."""
        cursor = self._cursor
        values: list[Expression] = []
        while True:
            cursor.match(_SEPARATOR)
            if cursor.take(")"):
                return tuple(values)
            values.append(self._expressions.primary())

    def _variable(self, where: str) -> str:
        """The name of a plain reference."""
        cursor = self._cursor
        cursor.space()
        start = cursor.at
        found = self._expressions.reference() if cursor.peek() == "$" else None
        if found is None or found.steps:
            cursor.fail(f"{where} takes a plain reference", start)
        return found.name

    def _closed(self, where: str) -> None:
        """The closing parenthesis and the rest of its line, if blank."""
        self._cursor.need(")", where)
        self._cursor.match(_REST_OF_LINE)

    def _keyword(self, name: str) -> None:
        cursor = self._cursor
        cursor.at += len(name) + (3 if cursor.peek(1) == "{" else 1)
        if name != "elseif":
            cursor.match(_REST_OF_LINE)

    def set(self, start: int) -> Node:
        cursor = self._cursor
        cursor.space()
        target: Reference | None = self._expressions.reference() if cursor.peek() == "$" else None
        if target is None:
            cursor.fail("#set takes a reference, = and a value")
        cursor.need("=", "#set")
        value = self._expressions.expression()
        self._closed("#set")
        return Set(target, value)

    def if_(self, start: int) -> Node:
        cursor = self._cursor
        branches: list[tuple[Expression, tuple[Node, ...]]] = []
        otherwise: tuple[Node, ...] = ()
        while True:
            condition = self._expressions.expression()
            self._closed("a condition")
            branches.append((condition, self.nodes(_ENDS, start)))
            which = self._end_here() or "end"
            self._keyword(which)
            if which == "elseif":
                if not cursor.match(_OPEN_CONDITION):
                    cursor.fail("#elseif lacks its condition")
                continue
            if which == "else":
                otherwise = self._block(start)
            return If(tuple(branches), otherwise)

    def foreach(self, start: int) -> Node:
        name = self._variable("#foreach")
        if not self._cursor.match(_IN):
            self._cursor.fail("#foreach lacks its in")
        items = self._expressions.expression()
        self._closed("#foreach")
        body = self._block(start)
        return Foreach(name, items, body)

    def define(self, start: int) -> Node:
        name = self._variable("#define")
        self._closed("#define")
        body = self._block(start)
        return Define(name, body)

    def macro(self, start: int) -> Node:
        cursor = self._cursor
        cursor.space()
        name = cursor.match(NAME)
        if name is None:
            cursor.fail("#macro lacks its name")
        parameters: list[str] = []
        while True:
            cursor.match(_SEPARATOR)
            if cursor.peek() != "$":
                break
            parameters.append(self._variable("#macro"))
        self._closed("#macro")
        body = self._block(start)
        macro = Macro(name[0], tuple(parameters), body)
        self._macros.setdefault(macro.name, macro)
        return macro

    def literal(self, start: int) -> Node:
        self._closed("#literal")
        begin = self._cursor.at
        self.nodes(("end",), start)
        body = self._cursor.text[begin : self._cursor.at]
        self._keyword("end")
        return Text(body)

    def break_(self, start: int) -> Node:
        self._cursor.match(_REST_OF_LINE)
        return Break()

    def stop(self, start: int) -> Node:
        self._cursor.match(_REST_OF_LINE)
        return Stop()


_DIRECTIVES = {
    "set": _Parser.set,
    "if": _Parser.if_,
    "foreach": _Parser.foreach,
    "define": _Parser.define,
    "macro": _Parser.macro,
    "literal": _Parser.literal,
    "break": _Parser.break_,
    "stop": _Parser.stop,
}


def _begins_line(text: str, at: int) -> bool:
    """Whether only blanks stand between the beginning of a line and a place in it."""
    while at > 0 and text[at - 1] in " \t":
        at -= 1
    return at == 0 or text[at - 1] in "\r\n"


def _take_blanks(found: list[Node]) -> None:
    """Forget the blanks that were read last."""
    if found and isinstance(found[-1], Text):
        found[-1] = Text(found[-1].text.rstrip(" \t"))


def _joined(found: list[Node]) -> tuple[Node, ...]:
    """Pieces of text that follow each other as one."""
    joined: list[Node] = []
    pieces: list[str] = []
    for node in found:
        if isinstance(node, Text):
            pieces.append(node.text)
            continue
        if any(pieces):
            joined.append(Text("".join(pieces)))
        pieces.clear()
        joined.append(node)
    if any(pieces):
        joined.append(Text("".join(pieces)))
    return tuple(joined)
