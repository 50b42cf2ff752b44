"""An operation's input against the constraints of the model, with the words that AWS's services use.

Most services share one framework, and with it one sentence a violation: "Value 'x' at 'functionName' failed to satisfy
constraint: Member must have length less than or equal to 140". Up to `MAX_ERRORS` of them make one error, whose code
differs by service. S3 and SQS share none of this, and say only what is missing: `presence`.

Enumerations are checked where the services check them. They are left to the handlers where a service answers an unknown
value with an error of its own, or accepts more than its model says (`_OWN_WORDS`).

Compiled once an operation; a shape without constraints anywhere below costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape

from mayfly.services.contract import ServiceError
from mayfly.wire import presence
from mayfly.wire.shapes import Compiler

Validate = Callable[[Mapping[str, Any]], None]
Check = Callable[[Any, str, list[str]], None]  # value, path, violations so far

MAX_ERRORS: Final = 10
MAX_SHOWN: Final = 4096  # characters of a value, in a message
MAX_MATCHED: Final = 8192  # characters that a pattern is tried on
MAX_BEYOND: Final = 256  # characters too many, for a pattern to be tried nevertheless

# Services that put validation errors under another code than their protocol's usual one.
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "apigatewayv2": "BadRequestException",
        "cognito-identity": "InvalidParameterException",
        "cognito-idp": "InvalidParameterException",
        "logs": "InvalidParameterException",
    }
)
# Shapes whose values the handlers judge. Lambda names its runtimes in InvalidParameterValueException; which there are
# is the machine's affair. DynamoDB judges attribute values together, in sentences of their own.
_OWN_WORDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "lambda": frozenset({"Runtime"}),
        "dynamodb": frozenset({"AttributeValue"}),
        "dynamodbstreams": frozenset({"AttributeValue"}),
    }
)
_NUMBERS: Final = frozenset({"integer", "long", "float", "double"})


def compile_validator(service: str, protocol: str, model: OperationModel) -> Validate:
    """The function that raises `ServiceError` for an input that violates the model."""
    shape = model.input_shape
    if not isinstance(shape, StructureShape):
        return _anything
    if service == "s3":
        return presence.s3_validator(shape)
    if service == "sqs":
        return presence.sqs_validator(shape)
    rules = _Rules(_OWN_WORDS.get(service, frozenset()))
    if not rules.constrained(shape, frozenset()):
        return _anything
    check = Compiler(rules.build).step(shape)
    code = _CODES.get(service, "ValidationError" if protocol in {"query", "ec2", "rest-xml"} else "ValidationException")

    def validate(params: Mapping[str, Any]) -> None:
        found: list[str] = []
        check(params, "", found)
        if found:
            count = "1 validation error" if len(found) == 1 else f"{min(len(found), MAX_ERRORS)} validation errors"
            raise ServiceError(code, f"{count} detected: {'; '.join(found[:MAX_ERRORS])}", status=400)

    return validate


def _anything(_params: Mapping[str, Any]) -> None:
    return


def shown(value: Any) -> str:
    """A value as AWS's messages print it, which is how Java does."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, bytes):
        text = f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{key}={shown(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(shown(item) for item in value) + "]"
    else:
        text = str(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _violation(value: Any, path: str, sentence: str, sensitive: bool) -> str:
    subject = "Value" if sensitive else f"Value '{shown(value)}'"
    return f"{subject} at '{path}' failed to satisfy constraint: {sentence}"


Constraint = tuple[Callable[[Any], bool], str]  # whether a value is fine, and the sentence if it is not


class _Rules:
    """Compiles shapes to checks for one service."""

    def __init__(self, own_words: frozenset[str]) -> None:
        self._own_words = own_words

    def constrained(self, shape: Shape, above: frozenset[str]) -> bool:
        """Whether anything in `shape`, all the way down, can be violated."""
        if shape.name in self._own_words or shape.name in above:
            return False
        above |= {shape.name}
        if self.constraints(shape):
            return True
        if isinstance(shape, StructureShape):
            if shape.is_document_type or shape.serialization.get("eventstream"):
                return False
            return bool(shape.required_members) or any(
                self.constrained(member, above) for member in shape.members.values()
            )
        if isinstance(shape, ListShape):
            return self.constrained(shape.member, above)
        if isinstance(shape, MapShape):
            return self.constrained(shape.key, above) or self.constrained(shape.value, above)
        return False

    def constraints(self, shape: Shape) -> list[Constraint]:
        """What the model demands of a value itself, in the order in which AWS lists it."""
        if shape.name in self._own_words or shape.serialization.get("streaming"):
            return []
        traits = shape.metadata
        found: list[Constraint] = []
        if isinstance(shape, StringShape) and shape.enum:
            values = frozenset(shape.enum)
            found.append((values.__contains__, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
        if shape.type_name in _NUMBERS:
            found += _range(traits.get("min"), traits.get("max"))
        elif isinstance(shape, StringShape | ListShape | MapShape) or shape.type_name == "blob":
            found += _length(traits.get("min"), traits.get("max"))
        if "pattern" in traits and shape.type_name == "string":
            found += _pattern(str(traits["pattern"]), traits.get("max"))
        return found

    def build(self, shape: Shape, compiler: Compiler[Check]) -> Check:
        own = self._own(shape)
        inner: Check | None = None
        if isinstance(shape, StructureShape):
            inner = self._structure(shape, compiler)
        elif isinstance(shape, ListShape):
            inner = self._list(shape, compiler)
        elif isinstance(shape, MapShape):
            inner = self._map(shape, compiler)
        if inner is None or own is None:
            return inner or own or _no_check

        outer, below = own, inner

        def both(value: Any, path: str, found: list[str]) -> None:
            outer(value, path, found)
            below(value, path, found)

        return both

    def _own(self, shape: Shape) -> Check | None:
        constraints = self.constraints(shape)
        if not constraints:
            return None
        sensitive = bool(shape.metadata.get("sensitive"))

        def check(value: Any, path: str, found: list[str]) -> None:
            for holds, sentence in constraints:
                if not holds(value):
                    found.append(_violation(value, path, sentence, sensitive))

        return check

    def _structure(self, shape: StructureShape, compiler: Compiler[Check]) -> Check | None:
        if shape.is_document_type or shape.name in self._own_words:
            return None
        required = [(name, _lower(name)) for name in shape.required_members]
        members = [
            (name, _lower(name), compiler.step(member))
            for name, member in shape.members.items()
            if self.constrained(member, frozenset())
        ]

        def check(value: Any, path: str, found: list[str]) -> None:
            prefix = f"{path}." if path else ""
            for name, shown_name in required:
                if name not in value:
                    found.append(
                        f"Value null at '{prefix}{shown_name}' failed to satisfy constraint: Member must not be null"
                    )
            for name, shown_name, step in members:
                item = value.get(name)
                if item is not None:
                    step(item, prefix + shown_name, found)

        return check

    def _list(self, shape: ListShape, compiler: Compiler[Check]) -> Check | None:
        if not self.constrained(shape.member, frozenset()):
            return None
        if isinstance(shape.member, StructureShape | ListShape | MapShape):
            step = compiler.step(shape.member)

            def each(value: Any, path: str, found: list[str]) -> None:
                for number, item in enumerate(value, 1):
                    if item is not None:
                        step(item, f"{path}.{number}.member", found)

            return each
        return self._scalars(shape.member, "Member must satisfy constraint", lambda value: value)

    def _map(self, shape: MapShape, compiler: Compiler[Check]) -> Check | None:
        checks: list[Check] = []
        if self.constraints(shape.key):
            checks.append(self._scalars(shape.key, "Map keys must satisfy constraint", lambda value: value))
        if self.constrained(shape.value, frozenset()):
            if isinstance(shape.value, StructureShape | ListShape | MapShape):
                step = compiler.step(shape.value)

                def each(value: Any, path: str, found: list[str]) -> None:
                    for key, item in value.items():
                        if item is not None:
                            step(item, f"{path}.{key}.member", found)

                checks.append(each)
            else:
                sentence = "Map value must satisfy constraint"
                checks.append(self._scalars(shape.value, sentence, lambda value: value.values()))
        if not checks:
            return None

        def check(value: Any, path: str, found: list[str]) -> None:
            for one in checks:
                one(value, path, found)

        return check

    def _scalars(self, shape: Shape, sentence: str, parts: Callable[[Any], Any]) -> Check:
        """Elements without members of their own are reported together, with all that is demanded of each."""
        constraints = self.constraints(shape)
        listed = ", ".join([text for _, text in reversed(constraints)] + ["Member must not be null"])
        sensitive = bool(shape.metadata.get("sensitive"))

        def check(value: Any, path: str, found: list[str]) -> None:
            for part in parts(value):
                if part is None or not all(holds(part) for holds, _ in constraints):
                    found.append(_violation(value, path, f"{sentence}: [{listed}]", sensitive))
                    return

        return check


def _no_check(_value: Any, _path: str, _found: list[str]) -> None:
    return


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _range(low: Any, high: Any) -> list[Constraint]:
    found: list[Constraint] = []
    if high is not None:
        found.append((lambda value: value <= high, f"Member must have value less than or equal to {high}"))
    if low is not None:
        found.append((lambda value: value >= low, f"Member must have value greater than or equal to {low}"))
    return found


def _length(low: Any, high: Any) -> list[Constraint]:
    found: list[Constraint] = []
    if high is not None:
        found.append((lambda value: len(value) <= high, f"Member must have length less than or equal to {high}"))
    if low:
        found.append((lambda value: len(value) >= low, f"Member must have length greater than or equal to {low}"))
    return found


def _pattern(pattern: str, longest: Any) -> list[Constraint]:
    """The pattern, unless Python cannot read it: Java's character classes are the usual reason."""
    try:
        expression = re.compile(pattern, re.ASCII)  # as Java reads \d and \w
    except re.error:
        return []
    # AWS reports what is too long and malformed for both. What is far too long is reported for its length alone: trying
    # a pattern on it could only cost time.
    limit = min(longest + MAX_BEYOND, MAX_MATCHED) if isinstance(longest, int) else MAX_MATCHED
    return [
        (
            lambda value: len(value) > limit or expression.fullmatch(value) is not None,
            f"Member must satisfy regular expression pattern: {pattern}",
        )
    ]
