"""Rows to values and back: the versions of objects that are not the current ones, and delete markers.

Functions of a `Reader` or a `Tx`, like those of `catalog`, which has the current objects.
"""

from mayfly.services.objects import catalog, version_statements
from mayfly.services.objects.model import DeleteMarker, ListedVersion, StoredObject, Tags
from mayfly.store.api import Reader, Row, Tx


def set_versioning(tx: Tx, bucket: str, versioning: str) -> None:
    tx.run(version_statements.SET_VERSIONING, {"name": bucket, "versioning": versioning})


def find_version(reader: Reader, bucket: str, key: str, version_id: str) -> StoredObject | DeleteMarker | None:
    """The version with that id, current or not."""
    current = catalog.find_object(reader, bucket, key)
    if current is not None and current.version_id == version_id:
        return current
    return find_older(reader, bucket, key, version_id)


def find_older(reader: Reader, bucket: str, key: str, version_id: str) -> StoredObject | DeleteMarker | None:
    """The version with that id, if it is in the history."""
    row = reader.one(version_statements.FIND_OLDER, {"bucket": bucket, "key": key, "version_id": version_id})
    return None if row is None else _version(row)


def newest_older(reader: Reader, bucket: str, key: str) -> StoredObject | DeleteMarker | None:
    """The newest version in the history of a key."""
    row = reader.one(version_statements.NEWEST_OLDER, {"bucket": bucket, "key": key})
    return None if row is None else _version(row)


def insert_marker(tx: Tx, marker: DeleteMarker) -> None:
    tx.run(
        version_statements.INSERT_MARKER,
        {
            "bucket": marker.bucket,
            "key": marker.key,
            "position": marker.position,
            "version_id": marker.version_id,
            "modified_at": marker.modified_at,
        },
    )


def retire(tx: Tx, stored: StoredObject) -> None:
    """Move a current object into the history."""
    tx.run(version_statements.RETIRE, {"bucket": stored.bucket, "key": stored.key})
    catalog.delete_object(tx, stored.bucket, stored.key)


def restore(tx: Tx, stored: StoredObject) -> None:
    """Make a version of the history the current object of its key, which has none."""
    tx.run(version_statements.RESTORE, {"bucket": stored.bucket, "key": stored.key, "position": stored.position})
    delete_older(tx, stored)


def delete_older(tx: Tx, version: StoredObject | DeleteMarker) -> None:
    params = {"bucket": version.bucket, "key": version.key, "position": version.position}
    tx.run(version_statements.DELETE_OLDER, params)


def set_tags(tx: Tx, stored: StoredObject, tags: Tags) -> None:
    """Of a version in the history."""
    params = {"bucket": stored.bucket, "key": stored.key, "version_id": stored.version_id}
    tx.run(version_statements.SET_OLDER_TAGS, {**params, "tags": catalog.to_json(tags)})


def any_older(reader: Reader, bucket: str) -> bool:
    return reader.one(version_statements.ANY_OLDER, {"bucket": bucket}) is not None


def list_versions(
    reader: Reader, bucket: str, start: str, below: int | None, stop: str | None, limit: int
) -> list[ListedVersion]:
    """Versions with `start` <= key < `stop`: by key, newest first; of `start` itself only those below a position."""
    params = {
        "bucket": bucket,
        "start": start,
        "below": version_statements.ABOVE_ALL if below is None else below,
        "stop": stop or "",
        "limit": limit,
    }
    rows = reader.all(version_statements.LIST, params)
    return [ListedVersion(*row) for row in rows]


def _version(row: Row) -> StoredObject | DeleteMarker:
    marker, bucket, key, position, version_id, modified_at = row[:6]
    if marker:
        return DeleteMarker(bucket, key, version_id, position, modified_at)
    return catalog.stored_object(row[6:])
