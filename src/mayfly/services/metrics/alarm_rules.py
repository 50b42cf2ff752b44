"""The rules of composite alarms: `ALARM(one) AND NOT (OK("two") OR INSUFFICIENT_DATA(three))`. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mayfly.services.contract import ServiceError
from mayfly.services.metrics import faults

MAX_CHILDREN: Final = 100
MAX_ELEMENTS: Final = 500
MAX_DEPTH: Final = 50
_TOKEN = re.compile(r'\s*(?:([()])|"([^"]*)"|([^\s()"]+))')

Decide = Callable[[Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """A rule that was read."""

    children: tuple[str, ...]  # names of alarms, in the order of their first mention
    holds: Decide  # given the states of all children by name


def parse(text: str) -> AlarmRule:
    """The rule that `text` says; `ServiceError` ValidationError names what is wrong."""
    reader = _Reader(text)
    decide = reader.alternatives(0)
    if reader.at < len(reader.tokens):
        raise reader.error(f"unexpected {reader.tokens[reader.at]!r}")
    if len(reader.children) > MAX_CHILDREN:
        raise faults.validation(f"AlarmRule must not contain more than {MAX_CHILDREN} children alarms")
    return AlarmRule(tuple(reader.children), decide)


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self.children: dict[str, None] = {}
        self.at = 0
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.error("a quotation mark is not closed")
            # A quoted name keeps its mark, so that no name is taken for a word of the language.
            self.tokens.append(match[1] or match[3] or f'"{match[2]}')
            at = match.end()
        if len(self.tokens) > 4 * MAX_ELEMENTS:
            raise faults.validation(f"AlarmRule must not contain more than {MAX_ELEMENTS} elements")

    def alternatives(self, depth: int) -> Decide:
        if depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH}")
        left = self._conjunction(depth)
        while self._take("OR"):
            left = _either(left, self._conjunction(depth))
        return left

    def _conjunction(self, depth: int) -> Decide:
        left = self._negation(depth)
        while self._take("AND"):
            left = _both(left, self._negation(depth))
        return left

    def _negation(self, depth: int) -> Decide:
        if depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH}")
        if self._take("NOT"):
            inner = self._negation(depth + 1)
            return lambda states: not inner(states)
        if self._take("("):
            whole = self.alternatives(depth + 1)
            self._expect(")")
            return whole
        return self._primary()

    def _primary(self) -> Decide:
        if self._take("TRUE"):
            return lambda states: True
        if self._take("FALSE"):
            return lambda states: False
        for state in ("ALARM", "OK", "INSUFFICIENT_DATA"):
            if self._take(state):
                self._expect("(")
                name = self._name()
                self._expect(")")
                return _in_state(name, state)
        found = self.tokens[self.at] if self.at < len(self.tokens) else "the end"
        raise self.error(f"expected ALARM, OK, INSUFFICIENT_DATA, TRUE, FALSE, NOT or '(', found {found!r}")

    def _name(self) -> str:
        if self.at == len(self.tokens) or self.tokens[self.at] in ("(", ")"):
            raise self.error("the name of an alarm is missing")
        name = self.tokens[self.at].removeprefix('"')
        self.at += 1
        if name.startswith("arn:"):
            name = name.split(":alarm:", 1)[-1]
        self.children[name] = None
        return name

    def _take(self, word: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at].upper() == word:
            self.at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self.error(f"{sign!r} is missing")

    def error(self, why: str) -> ServiceError:
        return faults.validation(f"AlarmRule is not valid: {why}.")


def _either(left: Decide, right: Decide) -> Decide:
    return lambda states: left(states) or right(states)


def _both(left: Decide, right: Decide) -> Decide:
    return lambda states: left(states) and right(states)


def _in_state(name: str, state: str) -> Decide:
    return lambda states: states.get(name) == state
