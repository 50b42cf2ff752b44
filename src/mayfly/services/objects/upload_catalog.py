"""Rows to values and back: what the database knows of multipart uploads and of the parts of objects.

Functions of a `Reader` or a `Tx`, like those of `catalog`. A part's owner is the id of its upload, which is also the
version of the object that the upload becomes.
"""

from collections.abc import Sequence
from typing import cast

import msgspec

from mayfly.services.objects import catalog, statements
from mayfly.services.objects.catalog import description_columns, description_of
from mayfly.services.objects.model import ChecksumType, Part, Upload
from mayfly.store.api import Reader, Row, Tx


def insert_upload(tx: Tx, upload: Upload) -> None:
    tx.run(
        statements.INSERT_UPLOAD,
        {
            "id": upload.id,
            "bucket": upload.bucket,
            "key": upload.key,
            "initiated_at": upload.initiated_at,
            "initiator": upload.initiator,
            "checksum_algorithm": upload.checksum_algorithm,
            "checksum_type": upload.checksum_type,
            **description_columns(upload.description),
        },
    )


def find_upload(reader: Reader, bucket: str, key: str, upload_id: str) -> Upload | None:
    row = reader.one(statements.FIND_UPLOAD, {"bucket": bucket, "key": key, "id": upload_id})
    return None if row is None else _upload(row)


def delete_upload(tx: Tx, upload_id: str) -> None:
    """Remove the upload, not its parts."""
    tx.run(statements.DELETE_UPLOAD, {"id": upload_id})


def list_uploads(reader: Reader, bucket: str, start: str, after: str, stop: str | None, limit: int) -> list[Upload]:
    """Uploads with `start` <= key < `stop`, by key and then in the order in which they were begun.

    Of the key `start` itself only those that were begun behind the upload `after`.
    """
    params = {"bucket": bucket, "start": start, "after": after, "stop": stop or "", "limit": limit}
    return [_upload(row) for row in reader.all(statements.LIST_UPLOADS, params)]


def find_part(reader: Reader, owner: str, number: int) -> Part | None:
    row = reader.one(statements.FIND_PART, {"owner": owner, "number": number})
    return None if row is None else Part(*row)


def put_part(tx: Tx, part: Part) -> None:
    fields = msgspec.structs.asdict(part)
    del fields["start"]
    tx.run(statements.PUT_PART, fields)


def list_parts(reader: Reader, owner: str, after: int, limit: int) -> list[Part]:
    """Parts with a number above `after`."""
    return [Part(*row) for row in reader.all(statements.LIST_PARTS, {"owner": owner, "after": after, "limit": limit})]


def parts_of_span(reader: Reader, owner: str, start: int, end: int) -> list[Part]:
    """The parts of a completed object that hold its bytes `start` to `end`, in order."""
    params = {"owner": owner, "span_start": start, "span_end": end}
    return [Part(*row) for row in reader.all(statements.PARTS_OF_SPAN, params)]


def part_at(reader: Reader, owner: str, place: int) -> Part | None:
    """The part of a completed object at an index that counts from 0."""
    row = reader.one(statements.PART_AT, {"owner": owner, "place": place})
    return None if row is None else Part(*row)


def place_parts(tx: Tx, owner: str, parts: Sequence[Part], aside: str, now: float) -> None:
    """Give `parts` their offsets in this order; what else the owner has is discarded under the owner `aside`."""
    offsets = []
    start = 0
    for part in parts:
        offsets.append({"owner": owner, "number": part.number, "start": start})
        start += part.size
    tx.many(statements.PLACE_PART, offsets)
    if tx.run(statements.SET_ASIDE_UNUSED_PARTS, {"owner": owner, "aside": aside}):
        catalog.discard(tx, aside, "", now)


def delete_part(tx: Tx, part: Part) -> None:
    tx.run(statements.DELETE_PART, {"owner": part.owner, "number": part.number})


def _upload(row: Row) -> Upload:
    identity, bucket, key, initiated_at, initiator, algorithm, kind = row[:7]
    description = description_of(*row[7:])
    return Upload(identity, bucket, key, initiated_at, initiator, algorithm, cast("ChecksumType", kind), description)
