"""From the text of a pattern to what it asks: the language of EventBridge's patterns and of SNS's filter policies.

A pattern is an object whose members are objects of the same kind, or lists of values; what an event must have is the
list's field, named by the path to it. `$or` takes a list of such objects: each makes the pattern a different one, so
that what comes out are *branches*, of which one must be met. Errors say what aws/event-ruler says, and where.

Used by `pattern` and `filter_policy`.
"""

from dataclasses import dataclass

from mayfly.matching.complexity import is_too_complex
from mayfly.matching.conditions import Condition, Exactly, Field, SameAddress
from mayfly.matching.document import Document, Node
from mayfly.matching.errors import PatternError, Refusal
from mayfly.matching.leaves import Word, address, number
from mayfly.matching.operators import Operators

MOST_BRANCHES = 1000
OR = "$or"
# What cannot be a field inside of $or, because it reads as an operator, or may one day.
_RESERVED = frozenset(
    (
        *("exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr"),
        *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)
_TOO_COMPLEX = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard"
    " character"
)

Branch = dict[str, Field]


@dataclass(slots=True)
class Reading:
    """One document being read. `or_may_be_a_name`: a list that makes no sense as alternatives is a field called $or."""

    document: Document
    error: Refusal
    or_may_be_a_name: bool = False

    def fail(self, reason: str, at: int) -> PatternError:
        """The error for something at a place, to be raised."""
        return self.error(reason + self.document.where(at))

    def branches(self) -> list[Branch]:
        """What the document asks, as alternatives."""
        root = self.document.root
        if root.kind != "object":
            raise self.fail("Filter is not an object", root.at)
        return self._object(root, (), [], inside_or=False)

    def _object(self, node: Node, path: tuple[str, ...], so_far: list[Branch], *, inside_or: bool) -> list[Branch]:
        if not node.members:
            raise self.fail("Empty objects are not allowed", node.end)
        for name, value in node.members:
            if name == OR and not (self.or_may_be_a_name and not means_alternatives(value)):
                so_far = self._alternatives(value, path, so_far)
                continue
            if inside_or and name in _RESERVED:
                reason = f"{name} is Ruler reserved fieldName which cannot be used inside {OR}."
                raise self.fail(reason, value.at)
            if value.kind == "object":
                so_far = self._object(value, (*path, name), so_far, inside_or=inside_or)
            elif value.kind == "array":
                field = self._field(value)
                key = ".".join((*path, name))
                so_far = [{**branch, key: field} for branch in so_far or [{}]]
            else:
                raise self.fail(f'"{name}" must be an object or an array', value.at)
        return so_far

    def _alternatives(self, node: Node, path: tuple[str, ...], so_far: list[Branch]) -> list[Branch]:
        if node.kind != "array":
            raise self.fail(f"It must be an Array followed with {OR}.", node.at)
        branches: list[Branch] = []
        for item in node.items:
            if item.kind != "object":
                raise self.fail(f"Only JSON object is allowed in array of {OR} relationship.", item.at)
            branches += self._object(item, path, [*so_far] or [{}], inside_or=True)
            if len(branches) > MOST_BRANCHES:
                raise self.error(f"Rule is too complex - {OR} makes more than {MOST_BRANCHES} combinations of it")
        if len(node.items) < 2:
            raise self.fail(f"There must have at least 2 Objects in {OR} relationship.", node.end)
        return branches

    def _field(self, node: Node) -> Field:
        operators = Operators(self.document, self.error)
        conditions: set[Condition] = set()
        absent = False
        if not node.items:
            raise self.fail("Empty arrays are not allowed", node.end)
        for item in node.items:
            if item.kind == "object":
                found = operators.condition(item)
                if found is None:
                    absent = True
                else:
                    conditions.add(found)
            elif item.kind == "string":
                at = address(item.text)
                conditions.add(Exactly(item.text) if at is None else SameAddress(at))
            elif item.kind == "number":
                conditions.add(Exactly(number(item.text)))
            elif item.kind == "word":
                conditions.add(Exactly(_WORDS[item.value is None, bool(item.value)]))
            else:
                raise self.fail("Match value must be String, number, true, false, or null", item.at)
        if is_too_complex(conditions):
            raise self.error(_TOO_COMPLEX)
        return Field(frozenset(conditions), absent)


def means_alternatives(node: Node) -> bool:
    """Whether what `$or` names can be nothing but alternatives."""
    return (
        node.kind == "array"
        and len(node.items) >= 2
        and all(item.kind == "object" and _RESERVED.isdisjoint(name for name, _ in item.members) for item in node.items)
    )


_WORDS = {(True, False): Word.NULL, (False, True): Word.TRUE, (False, False): Word.FALSE}
