"""Stacks, their resources and events in the store: rows to values and back."""

from collections.abc import Collection
from typing import Any

import msgspec

from mayfly.ids import request_id
from mayfly.services.contract import RequestContext
from mayfly.services.stacks import statements
from mayfly.services.stacks.exports import follow
from mayfly.services.stacks.faults import no_such_stack
from mayfly.services.stacks.model import Definition, Event, Operation, Resource, Stack
from mayfly.services.stacks.template.parameters import MASK, hidden, text_of
from mayfly.store.api import Reader, Row, Tx

STACK_TYPE = "AWS::CloudFormation::Stack"
# Made here, once: msgspec must not learn a type in two of the store's threads at a time, which ends the process.
_definition = msgspec.json.Decoder(Definition).decode
_operation = msgspec.json.Decoder(Operation).decode


def stack_of_row(row: Row) -> Stack:
    values = dict(zip(Stack.__struct_fields__, row, strict=True))
    values["definition"] = _definition(values["definition"])
    values["outputs"] = msgspec.json.decode(values["outputs"])
    values["options"] = msgspec.json.decode(values["options"])
    if values["operation"] is not None:
        values["operation"] = _operation(values["operation"])
    return Stack(**values)


def find_stack(reader: Reader, context: RequestContext, name: str) -> Stack:
    """A living stack by name, or any by its id; `ServiceError` ValidationError."""
    place = {"account": context.account, "region": context.region}
    if name.startswith("arn:"):
        row = reader.one(statements.STACK_BY_ID, {"id": name, **place})
    else:
        row = reader.one(statements.STACK_BY_NAME, {"name": name, **place})
    if row is None:
        raise no_such_stack(name)
    return stack_of_row(row)


def stack_of_id(reader: Reader, stack_id: str) -> Stack:
    """A stack that is known to exist."""
    row = reader.one(statements.STACK_OF_ID, {"id": stack_id})
    if row is None:
        raise no_such_stack(stack_id)
    return stack_of_row(row)


def _values(stack: Stack) -> dict[str, Any]:
    values = {name: getattr(stack, name) for name in stack.__struct_fields__}
    for name in ("definition", "outputs", "options"):
        values[name] = msgspec.json.encode(values[name]).decode()
    values["operation"] = None if stack.operation is None else msgspec.json.encode(stack.operation).decode()
    return values


def insert_stack(tx: Tx, stack: Stack) -> bool:
    """Add a stack; False if its name is taken by a living one."""
    added = tx.run(statements.STACK_INSERT, _values(stack)) > 0
    if added:
        follow(tx, stack)
    return added


def save_stack(tx: Tx, stack: Stack) -> None:
    """Make a stack's row durable; `ServiceError` ValidationError where other stacks' imports or exports forbid it."""
    live_name = None if stack.status == "DELETE_COMPLETE" else stack.name
    values = _values(stack) | {"live_name": live_name}
    for fixed in ("account", "region", "name", "created_at"):
        del values[fixed]
    tx.run(statements.STACK_SAVE, values)
    follow(tx, stack)


def resources_of(reader: Reader, stack_id: str) -> list[Resource]:
    return [_resource(row) for row in reader.all(statements.RESOURCES_OF, {"stack_id": stack_id})]


def _resource(row: Row) -> Resource:
    values = dict(zip(Resource.__struct_fields__, row, strict=True))
    for name in ("properties", "attributes", "depends_on"):
        values[name] = msgspec.json.decode(values[name])
    if values["pending"] is not None:
        values["pending"] = msgspec.json.decode(values["pending"])
    values["depends_on"] = tuple(values["depends_on"])
    values["begun"] = bool(values["begun"])
    return Resource(**values)


def save_resource(tx: Tx, resource: Resource) -> None:
    values = {name: getattr(resource, name) for name in resource.__struct_fields__}
    for name in ("properties", "attributes", "depends_on"):
        values[name] = msgspec.json.encode(values[name]).decode()
    values["pending"] = None if resource.pending is None else msgspec.json.encode(resource.pending).decode()
    tx.run(statements.RESOURCE_SAVE, values | {"begun": int(resource.begun)})


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
    tx.run(
        statements.EVENT_INSERT, {name: getattr(event, name) for name in event.__struct_fields__ if name != "number"}
    )
    return event


def events_before(reader: Reader, stack_id: str, before: int, limit: int) -> list[Event]:
    """Events numbered below `before`, newest first."""
    rows = reader.all(statements.EVENTS_PAGE, {"stack_id": stack_id, "before": before, "limit": limit})
    return [Event(*row) for row in rows]
