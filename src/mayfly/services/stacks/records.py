"""Stacks, their resources and events in the store: rows to values and back.

Each kind of row has a struct for the part of it that is sealed; the rest stands in columns.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from mayfly.ids import request_id
from mayfly.services.contract import RequestContext
from mayfly.services.stacks import statements
from mayfly.services.stacks.exports import follow
from mayfly.services.stacks.faults import no_such_stack
from mayfly.services.stacks.model import Definition, Event, Operation, Resource, Stack
from mayfly.services.stacks.sealing import Reader, Tx
from mayfly.services.stacks.template.parameters import MASK, hidden, text_of
from mayfly.store.api import Row

STACK_TYPE = "AWS::CloudFormation::Stack"


class _StackPart(msgspec.Struct, frozen=True):
    reason: str
    definition: Definition
    outputs: dict[str, str]
    options: dict[str, Any]
    operation: Operation | None


class _ResourcePart(msgspec.Struct, frozen=True):
    reason: str
    properties: dict[str, Any]
    pending: dict[str, Any] | None
    attributes: dict[str, Any]


class _EventPart(msgspec.Struct, frozen=True):
    reason: str
    properties: str


_RESOURCE_COLUMNS = statements.RESOURCE.removesuffix(", sealed").split(", ")
_encode = msgspec.json.Encoder().encode
# Made here, once: msgspec must not learn a type in two of the store's threads at a time, which ends the process.
_stack_part = msgspec.json.Decoder(_StackPart).decode
_resource_part = msgspec.json.Decoder(_ResourcePart).decode
_event_part = msgspec.json.Decoder(_EventPart).decode


def stack_of_row(reader: Reader, row: Row) -> Stack:
    *columns, sealed = row
    part = _stack_part(reader.opened(sealed, f"stack {row[0]}"))
    names = ("id", "account", "region", "name", "status", "created_at", "updated_at", "deleted_at")
    return Stack(**dict(zip(names, columns, strict=True)), **_members(part))


def find_stack(reader: Reader, context: RequestContext, name: str) -> Stack:
    """A living stack by name, or any by its id; `ServiceError` ValidationError."""
    place = {"account": context.account, "region": context.region}
    if name.startswith("arn:"):
        row = reader.one(statements.STACK_BY_ID, {"id": name, **place})
    else:
        row = reader.one(statements.STACK_BY_NAME, {"name": name, **place})
    if row is None:
        raise no_such_stack(name)
    return stack_of_row(reader, row)


def stack_of_id(reader: Reader, stack_id: str) -> Stack:
    """A stack that is known to exist."""
    row = reader.one(statements.STACK_OF_ID, {"id": stack_id})
    if row is None:
        raise no_such_stack(stack_id)
    return stack_of_row(reader, row)


def _members(part: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__struct_fields__}


def _values(tx: Tx, stack: Stack) -> dict[str, Any]:
    part = _StackPart(stack.reason, stack.definition, stack.outputs, stack.options, stack.operation)
    values = {name: item for name, item in _members(stack).items() if name not in part.__struct_fields__}
    sealed = tx.sealed(_encode(part), f"stack {stack.id}")
    return values | {"operating": int(stack.operation is not None), "sealed": sealed}


def insert_stack(tx: Tx, stack: Stack) -> bool:
    """Add a stack; False if its name is taken by a living one."""
    added = tx.run(statements.STACK_INSERT, _values(tx, stack)) > 0
    if added:
        follow(tx, stack)
    return added


def save_stack(tx: Tx, stack: Stack) -> None:
    """Make a stack's row durable; `ServiceError` ValidationError where other stacks' imports or exports forbid it."""
    live_name = None if stack.status == "DELETE_COMPLETE" else stack.name
    values = _values(tx, stack) | {"live_name": live_name}
    for fixed in ("account", "region", "name", "created_at"):
        del values[fixed]
    tx.run(statements.STACK_SAVE, values)
    follow(tx, stack)


def resources_of(reader: Reader, stack_id: str) -> list[Resource]:
    return [_resource(reader, row) for row in reader.all(statements.RESOURCES_OF, {"stack_id": stack_id})]


def made_of_type(reader: Reader, context: RequestContext, type_name: str) -> list[Resource]:
    """What the living stacks of a place have of one type, as last applied; oldest first."""
    place = {"account": context.account, "region": context.region, "type": type_name}
    return [_resource(reader, row) for row in reader.all(statements.MADE_OF_TYPE, place)]


def _resource(reader: Reader, row: Row) -> Resource:
    *columns, sealed = row
    values = dict(zip(_RESOURCE_COLUMNS, columns, strict=True))
    values["depends_on"] = tuple(msgspec.json.decode(values["depends_on"]))
    values["begun"] = bool(values["begun"])
    about = _resource_about(values["stack_id"], values["logical_id"], values["generation"])
    return Resource(**values, **_members(_resource_part(reader.opened(sealed, about))))


def save_resource(tx: Tx, resource: Resource) -> None:
    part = _ResourcePart(resource.reason, resource.properties, resource.pending, resource.attributes)
    about = _resource_about(resource.stack_id, resource.logical_id, resource.generation)
    values: dict[str, Any] = {name: getattr(resource, name) for name in _RESOURCE_COLUMNS}
    values["depends_on"] = _encode(resource.depends_on).decode()
    values["begun"] = int(resource.begun)
    tx.run(statements.RESOURCE_SAVE, values | {"sealed": tx.sealed(_encode(part), about)})


def _resource_about(stack_id: str, logical_id: str, generation: int) -> str:
    return f"resource {stack_id} {logical_id} {generation}"


def forget_resource(tx: Tx, resource: Resource) -> None:
    tx.run(
        statements.RESOURCE_FORGET,
        {
            "stack_id": resource.stack_id,
            "logical_id": resource.logical_id,
            "generation": resource.generation,
        },
    )


def secrets_of(definition: Definition) -> set[str]:
    """The values of parameters that are not to be shown, also in parts of lists."""
    found: set[str] = set()
    for name, declared in definition.template.parameters.items():
        if hidden(declared):
            for values in (definition.parameters, definition.stored):
                value = values.get(name, "")
                found |= {value} if isinstance(value, str) else set(value)
    return found - {""}


def stack_event(tx: Tx, stack: Stack, at: float) -> Event:
    """Record where the stack as a whole stands."""
    token = stack.operation.token if stack.operation else ""
    return _add(
        tx,
        Event(stack.id, 0, request_id(), stack.name, stack.id, STACK_TYPE, stack.status, stack.reason, "", token, at),
    )


def resource_event(tx: Tx, resource: Resource, token: str, at: float, secrets: Collection[str] = ()) -> Event:
    """Record where one resource stands; `secrets` are masked in the properties that the event shows."""
    properties = resource.properties if resource.pending is None else resource.pending
    shown = msgspec.json.encode(masked(_without_variables(resource.type, properties), secrets)).decode()
    name = f"{resource.logical_id}-{resource.status}-{request_id()}"
    return _add(
        tx,
        Event(
            resource.stack_id, 0, name, resource.logical_id, resource.physical_id, resource.type, resource.status,
            resource.reason, shown, token, at,
        ),
    )  # fmt: skip


def _without_variables(type_name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """`properties` without values of a function's variables: more people read events than these are for."""
    environment = properties.get("Environment")
    if type_name != "AWS::Lambda::Function" or not isinstance(environment, dict):
        return properties
    variables = environment.get("Variables")
    if not isinstance(variables, dict):
        return properties
    return {**properties, "Environment": {**environment, "Variables": dict.fromkeys(variables, MASK)}}


def masked(value: Any, secrets: Collection[str]) -> Any:
    """`value` with every occurrence of a secret in its texts replaced."""
    if isinstance(value, dict):
        return {key: masked(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    return MASK if text_of(value) in secrets else value


def _add(tx: Tx, event: Event) -> Event:
    part = _EventPart(event.reason, event.properties)
    values = {name: item for name, item in _members(event).items() if name not in (*part.__struct_fields__, "number")}
    tx.run(
        statements.EVENT_INSERT, values | {"sealed": tx.sealed(_encode(part), _event_about(event.stack_id, event.id))}
    )
    return event


def _event_about(stack_id: str, id_: str) -> str:
    return f"event {stack_id} {id_}"


def _event(reader: Reader, row: Row) -> Event:
    stack_id, number, id_, logical_id, physical_id, kind, status, token, at, sealed = row
    part = _event_part(reader.opened(sealed, _event_about(stack_id, id_)))
    return Event(stack_id, number, id_, logical_id, physical_id, kind, status, part.reason, part.properties, token, at)


def events_before(reader: Reader, stack_id: str, before: int, limit: int) -> list[Event]:
    """Events numbered below `before`, newest first."""
    rows = reader.all(statements.EVENTS_PAGE, {"stack_id": stack_id, "before": before, "limit": limit})
    return [_event(reader, row) for row in rows]
