"""`ports.SdkOperations`: operations by the names that AWS's SDKs give them, with parameters as JSON.

That is how EventBridge Scheduler's universal targets name what they call. A service is its SDK identifier in lower
case without blanks ("CloudWatch Logs" is cloudwatchlogs), an operation begins with a small letter. Members are found
by their names whatever the case of the first letter; a blob is its text, a date ISO 8601 text or Unix seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from botocore.model import ListShape, MapShape, Shape, StructureShape

from mayfly.services.contract import RequestContext, ServiceError
from mayfly.wire.in_process import InProcessOperations
from mayfly.wire.models import Models
from mayfly.wire.timestamps import from_unix, parse

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = MappingProxyType(
    {
        "structure": dict,
        "map": dict,
        "list": list,
        "string": str,
        "character": str,
        "boolean": bool,
        "integer": int,
        "long": int,
        "float": (int, float),
        "double": (int, float),
    }
)


class _Text:
    """A `TrailingStream` over what a JSON document held."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length: int | None = len(data)
        self.trailers: Mapping[str, str] = {}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data


class SdkCalls:
    """Finds and calls what `operations` knows."""

    def __init__(self, operations: InProcessOperations, models: Models) -> None:
        self._operations = operations
        self._models = models
        self._names: dict[str, str] = {}  # botocore's name by the SDK's

    async def find(self, service: str, action: str) -> tuple[str, str] | None:
        """See `ports.SdkOperations`."""
        if not self._names:
            self._names = {self._identifier(name): name for name in self._operations.services()}
        name = self._names.get(service)
        if name is None:
            return None
        wanted = action.lower()
        implemented = await self._operations.implemented(name)
        return next(((name, each) for each in implemented if each.lower() == wanted), None)

    async def call_json(
        self, context: RequestContext, service: str, operation: str, document: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See `ports.SdkOperations`."""
        # Beside the loop: the model may not have been read yet.
        shape = await asyncio.to_thread(lambda: self._models.service(service).operation_model(operation).input_shape)
        params = {} if shape is None else _value(shape, dict(document), operation)
        return await self._operations.call(context, service, operation, params)

    def _identifier(self, name: str) -> str:
        identifier: str = self._models.facts(name).service_id
        return "".join(character for character in identifier.lower() if character.isalnum())


def _value(shape: Shape, given: Any, path: str) -> Any:
    """A JSON value as what handlers get for `shape`; `ServiceError` when it is of another type."""
    if given is None or (isinstance(shape, StructureShape) and shape.is_document_type):
        return given
    if shape.type_name == "blob":
        data = given.encode() if isinstance(given, str) else msgspec.json.encode(given)
        return _Text(data) if shape.serialization.get("streaming") else data
    if shape.type_name == "timestamp":
        return _moment(given, path)
    _check_type(shape, given, path)
    if isinstance(shape, StructureShape):
        return dict(_members(shape, given, path))
    if isinstance(shape, ListShape):
        return [_value(shape.member, item, path) for item in given]
    if isinstance(shape, MapShape):
        return {key: _value(shape.value, item, path) for key, item in given.items()}
    return given


def _check_type(shape: Shape, given: Any, path: str) -> None:
    wanted = _TYPES[shape.type_name]
    if not isinstance(given, wanted) or (isinstance(given, bool) and wanted is not bool):
        raise ServiceError("ValidationException", f"{path} is of the type {shape.type_name}.")


def _members(shape: StructureShape, given: Mapping[str, Any], path: str) -> Any:
    names = {_small(name): name for name in shape.members}
    for key, item in given.items():
        name = key if key in shape.members else names.get(_small(key))
        if name is None:
            raise ServiceError("ValidationException", f"{key} is no parameter of {path}.")
        member = shape.members[name]
        yield name, _value(member, item, f"{path}.{name}")


def _moment(given: Any, path: str) -> Any:
    try:
        if isinstance(given, int | float) and not isinstance(given, bool):
            return from_unix(given)
        return parse(given) if isinstance(given, str) else given
    except (ValueError, OverflowError) as error:
        raise ServiceError("ValidationException", f"{path} is no date: {error}") from None


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
