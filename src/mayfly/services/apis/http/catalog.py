"""APIs of version 2 and what they consist of, as rows: found and changed inside transactions."""

from typing import Any

import msgspec

from mayfly.services.apis.http import faults
from mayfly.services.apis.http import statements as sql
from mayfly.services.apis.http.model import MAX_OF, Api, Content, Kind, Part
from mayfly.store.api import Reader, Tx

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode
_decode_content = msgspec.msgpack.Decoder(Content).decode
_EVERY = 10_000  # more than an API may have of anything


def find_api(reader: Reader, api_id: str) -> Api | None:
    """The API, or None."""
    row = reader.one(sql.FIND_API, {"api_id": api_id})
    return None if row is None else Api(api_id, row[0], _decode(row[1]))


def api(reader: Reader, api_id: str) -> Api:
    """The API; NotFoundException."""
    found = find_api(reader, api_id)
    if found is None:
        raise faults.no_api(api_id)
    return found


def put_api(tx: Tx, value: Api) -> None:
    tx.run(sql.PUT_API, {"api_id": value.id, "protocol": value.protocol, "document": _encode(value.members)})


def apis(reader: Reader, after: str, limit: int) -> list[Api]:
    """Up to `limit` APIs in the order of their ids, after the one named."""
    return [Api(row[0], row[1], _decode(row[2])) for row in reader.all(sql.LIST_APIS, {"after": after, "limit": limit})]


def count_apis(reader: Reader) -> int:
    row = reader.one(sql.COUNT_APIS)
    return 0 if row is None else int(row[0])


def remove_api(tx: Tx, api_id: str) -> None:
    """Delete an API with all that it consists of; NotFoundException."""
    if not tx.run(sql.DELETE_API, {"api_id": api_id}):
        raise faults.no_api(api_id)
    tx.run(sql.DELETE_API_PARTS, {"api_id": api_id})
    tx.run(sql.DELETE_API_SNAPSHOTS, {"api_id": api_id})


def find(reader: Reader, api_id: str, kind: Kind, part_id: str, parent: str = "") -> Part | None:
    """The part, or None."""
    row = reader.one(sql.FIND_PART, {"api_id": api_id, "kind": kind, "parent": parent, "part_id": part_id})
    return None if row is None else Part(kind, part_id, _decode(row[0]), parent)


def part(reader: Reader, api_id: str, kind: Kind, part_id: str, parent: str = "") -> Part:
    """The part; NotFoundException for it, or for its API."""
    found = find(reader, api_id, kind, part_id, parent)
    if found is None:
        api(reader, api_id)
        raise faults.no_part(kind, part_id)
    return found


def put(tx: Tx, api_id: str, value: Part) -> None:
    document = _encode(value.members)
    row = {"api_id": api_id, "kind": value.kind, "parent": value.parent, "part_id": value.id, "document": document}
    tx.run(sql.PUT_PART, row)


def add(tx: Tx, api_id: str, value: Part) -> None:
    """Write a part that is new; BadRequestException where there are too many."""
    most = MAX_OF.get(value.kind)
    if most is not None:
        row = tx.one(sql.COUNT_PARTS, {"api_id": api_id, "kind": value.kind, "parent": value.parent})
        if row is not None and row[0] >= most:
            raise faults.too_many(value.kind, most)
    put(tx, api_id, value)


def remove(tx: Tx, api_id: str, kind: Kind, part_id: str, parent: str = "") -> None:
    """Delete a part; NotFoundException."""
    if not tx.run(sql.DELETE_PART, {"api_id": api_id, "kind": kind, "parent": parent, "part_id": part_id}):
        part(tx, api_id, kind, part_id, parent)


def remove_children(tx: Tx, api_id: str, kind: Kind, parent: str) -> None:
    """Delete the responses of a route or an integration."""
    tx.run(sql.DELETE_CHILDREN, {"api_id": api_id, "kind": kind, "parent": parent})


def page(reader: Reader, api_id: str, kind: Kind, parent: str, after: str, limit: int) -> list[Part]:
    """Up to `limit` parts of a kind in the order of their ids, after the one named."""
    given = {"api_id": api_id, "kind": kind, "parent": parent, "after": after, "limit": limit}
    return [Part(kind, row[0], _decode(row[1]), parent) for row in reader.all(sql.LIST_PARTS, given)]


def every(reader: Reader, api_id: str, kind: Kind) -> list[Part]:
    """All parts of a kind that belong to the API itself."""
    return page(reader, api_id, kind, "", "", _EVERY)


def content(reader: Reader, api_id: str) -> Content | None:
    """The API as it stands, its stages included; None when there is none."""
    found = find_api(reader, api_id)
    if found is None:
        return None
    rows = reader.all(sql.ALL_PARTS, {"api_id": api_id})
    return Content(
        found, tuple(Part(kind, part_id, _decode(document), parent) for kind, parent, part_id, document in rows)
    )


def put_snapshot(tx: Tx, deployment_id: str, value: Content) -> None:
    """Keep what a deployment is of; stages are no part of it."""
    kept = Content(value.api, tuple(part for part in value.parts if part.kind != "stage"))
    row = {"api_id": value.api.id, "deployment_id": deployment_id, "content": _encode(kept)}
    tx.run(sql.PUT_SNAPSHOT, row)


def snapshot(reader: Reader, api_id: str, deployment_id: str) -> Content | None:
    """What a deployment is of; None where that is not kept."""
    row = reader.one(sql.FIND_SNAPSHOT, {"api_id": api_id, "deployment_id": deployment_id})
    return None if row is None else _decode_content(row[0])


def remove_deployment(tx: Tx, api_id: str, deployment_id: str) -> None:
    """Delete a deployment with what it is of; NotFoundException."""
    remove(tx, api_id, "deployment", deployment_id)
    tx.run(sql.DELETE_SNAPSHOT, {"api_id": api_id, "deployment_id": deployment_id})
