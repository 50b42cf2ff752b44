"""How complex wildcards are, as AWS limits them: in how many places of them at once some text could stand.

Ours cost no more for that (`conditions.Wildcard` tries nothing twice), but a pattern that is taken here is to be taken
there. The limit is what AWS was seen to refuse and to take; it publishes neither limit nor measure.
"""

from collections.abc import Iterable

from mayfly.matching.conditions import Condition, NoneOf, Wildcard

MOST = 9
_MOST_SETS = 5_000  # of places, that are looked at; beyond, a pattern is too complex to say how complex

_Place = tuple[int, int, bool]  # the wildcard, a token of it, whether it is an asterisk that goes on


def is_too_complex(conditions: Iterable[Condition]) -> bool:
    """Whether the wildcards of one field are."""
    wildcards = [_tokens(wildcard) for wildcard in _wildcards(conditions)]
    if not wildcards:
        return False
    begin = frozenset(place for number, tokens in enumerate(wildcards) for place in _after(number, tokens, -1))
    seen = {begin}
    waiting = [begin]
    while waiting:
        places = waiting.pop()
        if len(places) > MOST or len(seen) > _MOST_SETS:
            return True
        for letter in _next_letters(wildcards, places):
            following = _step(wildcards, places, letter)
            if following and following not in seen:
                seen.add(following)
                waiting.append(following)
    return False


def _wildcards(conditions: Iterable[Condition]) -> Iterable[Wildcard]:
    for condition in conditions:
        if isinstance(condition, NoneOf):
            yield from _wildcards(condition.conditions)
        elif isinstance(condition, Wildcard) and len(condition.parts) > 1:
            yield condition


def _tokens(wildcard: Wildcard) -> tuple[str | None, ...]:
    """Letters, and None for an asterisk."""
    found: list[str | None] = []
    for part in wildcard.parts:
        found += [*part, None]
    return tuple(found[:-1])


def _after(number: int, tokens: tuple[str | None, ...], at: int) -> list[_Place]:
    """The places in which a text stands that has just had the letter `at`: there, and at the asterisk that follows."""
    found: list[_Place] = [(number, at, False)]
    if at + 1 < len(tokens) and tokens[at + 1] is None:
        found.append((number, at + 1, True))
    return found


def _next_letters(wildcards: list[tuple[str | None, ...]], places: frozenset[_Place]) -> set[str | None]:
    """The letters that lead to different places; None: any other."""
    found: set[str | None] = {None}
    for number, at, _ in places:
        if at + 1 < len(wildcards[number]):
            found.add(wildcards[number][at + 1])
    return found


def _step(wildcards: list[tuple[str | None, ...]], places: frozenset[_Place], letter: str | None) -> frozenset[_Place]:
    found: list[_Place] = []
    for number, at, going_on in places:
        tokens = wildcards[number]
        if going_on:
            found.append((number, at, True))
        if letter is not None and at + 1 < len(tokens) and tokens[at + 1] == letter:
            found += _after(number, tokens, at + 1)
    return frozenset(found)
