"""What stacks export and import, kept in step with the stacks in the transaction that moves them.

The rows follow from the stack's own row: it exports what the definition that was last reached says, and imports what
that one and the one on its way use. Nobody deletes or changes an export while a stack beside its own imports it.
"""

from collections.abc import Collection
from typing import Any

import msgspec

from mayfly.services.contract import RequestContext
from mayfly.services.stacks import statements
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.model import Definition, Stack
from mayfly.services.stacks.planner import Place, exports
from mayfly.services.stacks.sealing import Reader, Tx
from mayfly.services.stacks.template.outside import export_missing, imported_name, missing, output_parts


class _Outputs(msgspec.Struct):
    """What is looked for in the sealed part of another stack (`records`)."""

    outputs: dict[str, str]


_outputs = msgspec.json.Decoder(_Outputs).decode  # here and not in a thread: see `records`
# Where a stack comes to new exports. Elsewhere (rolling back) it comes to those that it had, and nothing is asked.
_STRICT = {
    "CREATE_COMPLETE", "DELETE_IN_PROGRESS", "IMPORT_COMPLETE", "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
}  # fmt: skip


def follow(tx: Tx, stack: Stack) -> None:
    """Bring the rows to what `stack` says; `ServiceError` ValidationError where others stand against it."""
    _follow_imports(tx, stack)
    _follow_exports(tx, stack)


def _gone(stack: Stack) -> bool:
    return stack.status == "DELETE_COMPLETE" or (stack.operation is not None and stack.operation.kind == "delete")


def _follow_exports(tx: Tx, stack: Stack) -> None:
    wanted = {} if _gone(stack) else _exported(stack)
    rows = tx.all(statements.EXPORTS_OF_STACK, {"stack_id": stack.id})
    existing = {name: _opened(tx, stack.account, stack.region, name, sealed) for name, sealed in rows}
    if wanted == existing:
        return
    strict = stack.status in _STRICT
    for name, value in existing.items():
        if strict and wanted.get(name) != value:
            _check_unused(tx, stack, name, "updated" if name in wanted else "deleted")
        if name not in wanted:
            tx.run(statements.EXPORT_FORGET, {"stack_id": stack.id, "name": name})
    for name, value in wanted.items():
        if existing.get(name) == value:
            continue
        taken = _taken(tx, stack.account, stack.region, name, stack.id)
        if taken is None:
            sealed = tx.sealed(value.encode(), _about(stack.account, stack.region, name))
            tx.run(statements.EXPORT_SAVE, {**_row(stack, name), "sealed_value": sealed})
        elif strict:
            raise taken


def listed(reader: Reader, context: RequestContext, after: str, limit: int) -> list[tuple[str, str, str]]:
    """Name, stack and value of the exports of a place, by name, beyond the one called `after`."""
    bounds = {"account": context.account, "region": context.region, "after": after, "limit": limit}
    return [
        (name, stack_id, _opened(reader, context.account, context.region, name, sealed))
        for name, stack_id, sealed in reader.all(statements.EXPORTS_PAGE, bounds)
    ]


def _about(account: str, region: str, name: str) -> str:
    return f"export {account} {region} {name}"


def _opened(reader: Reader, account: str, region: str, name: str, sealed: bytes) -> str:
    return reader.opened(sealed, _about(account, region, name)).decode()


def _exported(stack: Stack) -> dict[str, str]:
    place = Place(stack.account, stack.region, stack.id, stack.name)
    names = exports(stack.definition, place)
    return {name: stack.outputs[output] for output, name in names.items() if output in stack.outputs}


def _row(stack: Stack, name: str) -> dict[str, Any]:
    return {"account": stack.account, "region": stack.region, "name": name, "stack_id": stack.id}


def _taken(reader: Reader, account: str, region: str, name: str, stack_id: str) -> Exception | None:
    row = reader.one(statements.EXPORT_BY_NAME, {"account": account, "region": region, "name": name})
    if row is None or row[1] == stack_id:
        return None
    return validation(f"Export with name {name} is already exported by stack {row[2]}")


def _check_unused(reader: Reader, stack: Stack, name: str, what: str) -> None:
    users = [found for found, stack_id in _importers(reader, stack.account, stack.region, name) if stack_id != stack.id]
    if users:
        raise validation(f"Export {name} cannot be {what} as it is in use by {' and '.join(users)}")


def _importers(reader: Reader, account: str, region: str, name: str) -> list[tuple[str, str]]:
    place = {"account": account, "region": region, "name": name, "after_name": "", "after_id": "", "limit": 20}
    return [(found, stack_id) for found, stack_id in reader.all(statements.IMPORTERS_PAGE, place)]


def _follow_imports(tx: Tx, stack: Stack) -> None:
    definitions = [] if stack.status == "DELETE_COMPLETE" else [stack.definition]
    if stack.operation is not None and definitions:
        definitions.append(stack.operation.definition)
    wanted = {name for item in definitions for key in item.outside if (name := imported_name(key)) is not None}
    existing = {name for (name,) in tx.all(statements.IMPORTS_OF_STACK, {"stack_id": stack.id})}
    for name in sorted(wanted - existing):
        place = {"account": stack.account, "region": stack.region, "name": name}
        if tx.one(statements.EXPORT_BY_NAME, place) is None:
            raise export_missing(name)  # it went since the definition was drawn up
        tx.run(statements.IMPORT_SAVE, _row(stack, name))
    for name in existing - wanted:
        tx.run(statements.IMPORT_FORGET, {"stack_id": stack.id, "name": name})


def check(reader: Reader, place: Place, definition: Definition) -> None:
    """Refuse exports that another stack has already; `ServiceError` ValidationError.

    Looked at again when the exports are made: this is to make nothing in vain.
    """
    for name in exports(definition, place).values():
        taken = _taken(reader, place.account, place.region, name, place.stack_id)
        if taken is not None:
            raise taken


def given(reader: Reader, context: RequestContext, place: Place, keys: Collection[str]) -> dict[str, str]:
    """What stands outside under `keys` (`template.outside`); `ServiceError` ValidationError for what does not."""
    found: dict[str, str] = {}
    for key in sorted(keys):
        if (name := imported_name(key)) is not None:
            row = reader.one(
                statements.EXPORT_BY_NAME, {"account": place.account, "region": place.region, "name": name}
            )
            if row is not None and row[1] != place.stack_id:
                found[key] = _opened(reader, place.account, place.region, name, row[0])
        elif (parts := output_parts(key)) is not None:
            value = _output(reader, context.account, *parts)
            if value is not None:
                found[key] = value
        if key not in found:
            raise missing(key)
    return found


def _output(reader: Reader, account: str, region: str, stack: str, output: str) -> str | None:
    row = reader.one(statements.STACK_BY_NAME, {"account": account, "region": region, "name": stack})
    return None if row is None else _outputs(reader.opened(row[-1], f"stack {row[0]}")).outputs.get(output)
