"""Rows to values and back: what the database knows of buckets and objects. `upload_catalog` has uploads and parts.

Functions of a `Reader` or a `Tx`, called inside the bodies that the operations hand to the store. Nothing here decides.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from mayfly.services.objects import statements
from mayfly.services.objects.model import (
    Bucket,
    Checksum,
    ChecksumType,
    Description,
    ListedObject,
    Rule,
    StoredObject,
    Tags,
)
from mayfly.services.objects.versioning import Versioning
from mayfly.store.api import Reader, Row, Tx

_RULES: Final = msgspec.json.Decoder(tuple[Rule, ...])
_TEXTS: Final = msgspec.json.Decoder(dict[str, str])
_TAGS: Final = msgspec.json.Decoder(Tags)
# Kinds of documents that a bucket has.
CORS: Final = "cors"
OWNERSHIP: Final = "ownership"
POLICY: Final = "policy"
PUBLIC_ACCESS: Final = "public-access-block"
TAGGING: Final = "tagging"
# Above every character, so above every string: the upper bound where there is none.
TOP: Final = "\U0010ffff"


def to_json(value: object) -> str:
    """A value as a column keeps it."""
    return msgspec.json.encode(value).decode()


# --- buckets


def find_bucket(reader: Reader, name: str) -> Bucket | None:
    row = reader.one(statements.FIND_BUCKET, {"name": name})
    return None if row is None else _bucket(row)


def list_buckets(reader: Reader, account: str, *, after: str, prefix: str, region: str, limit: int) -> list[Bucket]:
    """The account's buckets by name, behind `after`; `region` "" means any."""
    params = {
        "account": account,
        "after": after,
        "prefix": prefix,
        "stop": prefix + TOP,
        "region": region,
        "limit": limit,
    }
    return [_bucket(row) for row in reader.all(statements.LIST_BUCKETS, params)]


def insert_bucket(tx: Tx, bucket: Bucket) -> None:
    tx.run(
        statements.INSERT_BUCKET,
        {
            "name": bucket.name,
            "account": bucket.account,
            "region": bucket.region,
            "created_at": bucket.created_at,
        },
    )


def delete_bucket(tx: Tx, name: str, now: float) -> None:
    """Remove an empty bucket; its unfinished uploads die with it."""
    for statement in (
        statements.DISCARD_BUCKET_UPLOADS,
        statements.DELETE_BUCKET_UPLOADS,
        statements.DELETE_BUCKET_SETTINGS,
        statements.DELETE_BUCKET,
    ):
        tx.run(statement, {"name": name, "now": now} if ":now" in statement else {"name": name})


def is_empty(reader: Reader, bucket: str) -> bool:
    return reader.one(statements.ANY_OBJECT, {"bucket": bucket}) is None


def set_rules(tx: Tx, bucket: str, rules: Sequence[Rule], event_bus: bool = False) -> None:
    params = {"name": bucket, "notifications": to_json(rules), "event_bus": int(event_bus)}
    tx.run(statements.SET_NOTIFICATIONS, params)


def next_sequence(tx: Tx, bucket: str, now: float) -> int:
    """A number above every one that this gave for the bucket before."""
    tx.run(statements.ADVANCE_SEQUENCE, {"name": bucket, "now_us": int(now * 1_000_000)})
    row = tx.one(statements.READ_SEQUENCE, {"name": bucket})
    assert row is not None, "the caller found the bucket in this transaction"
    return int(row[0])


def find_setting(reader: Reader, bucket: str, kind: str) -> Any:
    """The document that was put for the bucket, or None."""
    row = reader.one(statements.FIND_SETTING, {"bucket": bucket, "kind": kind})
    return None if row is None else msgspec.json.decode(row[0])


def put_setting(tx: Tx, bucket: str, kind: str, document: object) -> None:
    tx.run(statements.PUT_SETTING, {"bucket": bucket, "kind": kind, "document": to_json(document)})


def delete_setting(tx: Tx, bucket: str, kind: str) -> None:
    tx.run(statements.DELETE_SETTING, {"bucket": bucket, "kind": kind})


def _bucket(row: Row) -> Bucket:
    name, account, region, created_at, rules, versioning, event_bus = row
    decoded = _RULES.decode(rules) if rules != "[]" else ()
    versions = cast("Versioning", versioning)
    return Bucket(name, account, region, float(created_at), decoded, versions, bool(event_bus))


# --- objects


def find_object(reader: Reader, bucket: str, key: str) -> StoredObject | None:
    row = reader.one(statements.FIND_OBJECT, {"bucket": bucket, "key": key})
    return None if row is None else stored_object(row)


def put_object(tx: Tx, stored: StoredObject) -> None:
    """Insert the object or put it in the place of the key's present one."""
    checksum = stored.checksum
    tx.run(
        statements.PUT_OBJECT,
        {
            "bucket": stored.bucket,
            "key": stored.key,
            "version": stored.version,
            "size": stored.size,
            "etag": stored.etag,
            "modified_at": stored.modified_at,
            "digest": stored.digest,
            "part_count": stored.part_count,
            "checksum_algorithm": checksum.algorithm if checksum else "",
            "checksum_type": checksum.type if checksum else "",
            "checksum_value": checksum.value if checksum else "",
            **description_columns(stored.description),
            "version_id": stored.version_id,
            "position": stored.position,
        },
    )


def delete_object(tx: Tx, bucket: str, key: str) -> None:
    tx.run(statements.DELETE_OBJECT, {"bucket": bucket, "key": key})


def set_tags(tx: Tx, stored: StoredObject, tags: Tags) -> int:
    """Of a current object; 0 when the version is not the current one."""
    params = {"bucket": stored.bucket, "key": stored.key, "version_id": stored.version_id}
    return tx.run(statements.SET_TAGS, {**params, "tags": to_json(tags)})


def list_objects(reader: Reader, bucket: str, start: str, stop: str | None, limit: int) -> list[ListedObject]:
    """Objects with `start` <= key < `stop` in the order of their keys' bytes."""
    params: dict[str, object] = {"bucket": bucket, "start": start, "limit": limit}
    if stop is None:
        rows = reader.all(statements.LIST_OBJECTS_FROM, params)
    else:
        rows = reader.all(statements.LIST_OBJECTS_BETWEEN, {**params, "stop": stop})
    return [ListedObject(*row) for row in rows]


def stored_object(row: Row) -> StoredObject:
    """An object from its columns, in the order of `statements.FIND_OBJECT`."""
    bucket, key, version, size, etag, modified_at, digest, part_count, algorithm, kind, value = row[:11]
    return StoredObject(
        bucket=bucket,
        key=key,
        version=version,
        size=size,
        etag=etag,
        modified_at=modified_at,
        digest=digest,
        part_count=part_count,
        checksum=Checksum(algorithm, cast("ChecksumType", kind), value) if algorithm else None,
        description=description_of(*row[11:14]),
        version_id=row[14],
        position=row[15],
    )


def description_of(headers: str, metadata: str, tags: str) -> Description:
    """A description from its three columns."""
    return Description(_TEXTS.decode(headers), _TEXTS.decode(metadata), _TAGS.decode(tags))


def description_columns(description: Description) -> dict[str, str]:
    """The three columns of a description."""
    return {
        "headers": to_json(description.headers),
        "metadata": to_json(description.metadata),
        "tags": to_json(description.tags),
    }


# --- what nothing refers to any more


def discard(tx: Tx, owner: str, digest: str, now: float) -> None:
    """Leave to `collection` the blob that is linked under `owner`, or with no digest the parts that `owner` has."""
    tx.run(statements.DISCARD, {"owner": owner, "digest": digest, "now": now})


def due_discards(reader: Reader, before: float, limit: int) -> list[tuple[str, str]]:
    """(owner, digest) of what was discarded until `before`."""
    return [(row[0], row[1]) for row in reader.all(statements.DUE_DISCARDS, {"before": before, "limit": limit})]


def delete_discard(tx: Tx, owner: str) -> None:
    tx.run(statements.DELETE_DISCARD, {"owner": owner})
