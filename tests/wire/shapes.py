"""Strategies that make values for botocore's shapes, and what two honest codecs may disagree about."""

from datetime import UTC, datetime
from math import isinf
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from hypothesis import strategies as st

MAX_DEPTH = 5

_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
_HEADER_TEXT = st.text("ABCabc019-_./:=+* ", min_size=1, max_size=12).filter(lambda text: text == text.strip())
_LABEL_TEXT = _TEXT.filter(bool)
_TIMES = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - naive as hypothesis wants it
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
_FLOATS = st.floats(width=32, allow_nan=False) | st.sampled_from([float("inf"), float("-inf")])
_JSON = st.dictionaries(_TEXT, st.booleans() | st.integers(-1000, 1000) | _TEXT, min_size=1, max_size=3)


def value(shape: Shape, depth: int = 0, location: str | None = None) -> st.SearchStrategy[Any]:
    """Values of `shape`; those that travel in headers or paths are kept to what those can carry."""
    if shape.serialization.get("jsonvalue"):
        return _JSON
    if isinstance(shape, StructureShape):
        return _JSON if shape.is_document_type else structure(shape, depth)
    if isinstance(shape, ListShape):
        least = 1 if location else 0
        return st.lists(value(shape.member, depth + 1, location), min_size=least, max_size=least + (depth < MAX_DEPTH))
    if isinstance(shape, MapShape):
        # Header names come back in lower case, in both directions.
        keys = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True) if location else _TEXT.filter(bool)
        size = 2 if depth < MAX_DEPTH else 0
        return st.dictionaries(keys, value(shape.value, depth + 1, location), max_size=size)
    return _scalar(shape, location)


def _scalar(shape: Shape, location: str | None) -> st.SearchStrategy[Any]:
    match shape.type_name:
        case "string" | "character":
            if isinstance(shape, StringShape) and shape.enum:
                return st.sampled_from(list(shape.enum)).filter(bool)
            if shape.serialization.get("hostLabel"):
                return st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True)
            return {"header": _HEADER_TEXT, "headers": _HEADER_TEXT, "uri": _LABEL_TEXT}.get(location or "", _TEXT)
        case "integer":
            return st.integers(-(2**31), 2**31 - 1)
        case "long":
            return st.integers(-(2**63), 2**63 - 1)
        case "float" | "double":
            return _FLOATS
        case "boolean":
            return st.booleans()
        case "timestamp":
            return _TIMES
        case "blob":
            return st.binary(max_size=20)
    raise AssertionError(shape.type_name)


def structure(shape: StructureShape, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Structures with their required members and, while not too deep, some of the others; unions with one."""

    @st.composite
    def draw(draw: st.DrawFn) -> dict[str, Any]:
        names = [name for name, member in shape.members.items() if not member.serialization.get("eventstream")]
        if shape.is_tagged_union:
            chosen = [draw(st.sampled_from(names))] if names else []
        else:
            required = [name for name in names if name in shape.required_members]
            optional = [name for name in names if name not in required]
            chosen = required
            if optional and depth < MAX_DEPTH:
                chosen = required + draw(st.lists(st.sampled_from(optional), unique=True, max_size=3))
        found: dict[str, Any] = {}
        for name in chosen:
            member = shape.members[name]
            location = member.serialization.get("location")
            if location == "statusCode":
                found[name] = draw(st.integers(200, 299))
            elif location == "querystring" and isinstance(member, MapShape):
                keys = st.from_regex(r"zz[a-z]{1,5}", fullmatch=True)  # no other member's name
                items = value(member.value, depth + 1, location)
                found[name] = draw(st.dictionaries(keys, items, min_size=1, max_size=2))
            else:
                found[name] = draw(value(member, depth + 1, location))
        return found

    return draw()


def pruned(found: Any) -> Any:
    """Without what has no form on every wire: empty lists, maps, structures, payloads. Infinities as JSON has them."""
    if isinstance(found, float) and isinf(found):
        return "Infinity" if found > 0 else "-Infinity"
    if isinstance(found, dict):
        kept = {key: pruned(item) for key, item in found.items()}
        return {key: item for key, item in kept.items() if item not in ({}, [], b"", None)}
    if isinstance(found, list):
        return [item for each in found if (item := pruned(each)) not in ({}, [], None)]
    return found


def has_events(operation: OperationModel) -> bool:
    """Whether the operation has an event stream, which the codecs do not speak yet."""
    return bool(operation.has_event_stream_input or operation.has_event_stream_output)
