"""The SQL of the objects service, portable between SQLite and PostgreSQL. `catalog` is who runs it."""

from typing import Final

# --- buckets

INSERT_BUCKET: Final = """
INSERT INTO objects_buckets (name, account, region, created_at, sequence, notifications)
VALUES (:name, :account, :region, :created_at, 0, '[]')
"""

FIND_BUCKET: Final = """
SELECT name, account, region, created_at, notifications, versioning, event_bus FROM objects_buckets WHERE name = :name
"""

LIST_BUCKETS: Final = """
SELECT name, account, region, created_at, notifications, versioning, event_bus FROM objects_buckets
WHERE account = :account AND name > :after AND name >= :prefix AND name < :stop AND (:region = '' OR region = :region)
ORDER BY name LIMIT :limit
"""

DELETE_BUCKET: Final = "DELETE FROM objects_buckets WHERE name = :name"

DELETE_BUCKET_SETTINGS: Final = "DELETE FROM objects_bucket_settings WHERE bucket = :name"

# The parts of uploads that die with their bucket; the rows of the parts are collected later.
DISCARD_BUCKET_UPLOADS: Final = """
INSERT INTO objects_discards (owner, digest, discarded_at)
SELECT id, '', :now FROM objects_uploads WHERE bucket = :name
"""

DELETE_BUCKET_UPLOADS: Final = "DELETE FROM objects_uploads WHERE bucket = :name"

SET_NOTIFICATIONS: Final = """
UPDATE objects_buckets SET notifications = :notifications, event_bus = :event_bus WHERE name = :name
"""

# Rises with every event even when the clock stands still or goes back.
ADVANCE_SEQUENCE: Final = """
UPDATE objects_buckets SET sequence = CASE WHEN :now_us > sequence THEN :now_us ELSE sequence + 1 END
WHERE name = :name
"""

READ_SEQUENCE: Final = "SELECT sequence FROM objects_buckets WHERE name = :name"

PUT_SETTING: Final = """
INSERT INTO objects_bucket_settings (bucket, kind, document) VALUES (:bucket, :kind, :document)
ON CONFLICT (bucket, kind) DO UPDATE SET document = excluded.document
"""

FIND_SETTING: Final = "SELECT document FROM objects_bucket_settings WHERE bucket = :bucket AND kind = :kind"

DELETE_SETTING: Final = "DELETE FROM objects_bucket_settings WHERE bucket = :bucket AND kind = :kind"

# --- objects

FIND_OBJECT: Final = """
SELECT bucket, key, version, size, etag, modified_at, digest, part_count,
       checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags, version_id, position
FROM objects_objects WHERE bucket = :bucket AND key = :key
"""

PUT_OBJECT: Final = """
INSERT INTO objects_objects (bucket, key, version, size, etag, modified_at, digest, part_count,
                             checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags,
                             version_id, position)
VALUES (:bucket, :key, :version, :size, :etag, :modified_at, :digest, :part_count,
        :checksum_algorithm, :checksum_type, :checksum_value, :headers, :metadata, :tags, :version_id, :position)
ON CONFLICT (bucket, key) DO UPDATE SET
    version = excluded.version, size = excluded.size, etag = excluded.etag, modified_at = excluded.modified_at,
    digest = excluded.digest, part_count = excluded.part_count, checksum_algorithm = excluded.checksum_algorithm,
    checksum_type = excluded.checksum_type, checksum_value = excluded.checksum_value, headers = excluded.headers,
    metadata = excluded.metadata, tags = excluded.tags, version_id = excluded.version_id, position = excluded.position
"""

DELETE_OBJECT: Final = "DELETE FROM objects_objects WHERE bucket = :bucket AND key = :key"

SET_TAGS: Final = """
UPDATE objects_objects SET tags = :tags WHERE bucket = :bucket AND key = :key AND version_id = :version_id
"""

ANY_OBJECT: Final = "SELECT 1 FROM objects_objects WHERE bucket = :bucket LIMIT 1"

# One stretch of a listing; the caller moves `start` over what it need not see.
LIST_OBJECTS_FROM: Final = """
SELECT key, size, etag, modified_at, checksum_algorithm, checksum_type
FROM objects_objects WHERE bucket = :bucket AND key >= :start ORDER BY key LIMIT :limit
"""

LIST_OBJECTS_BETWEEN: Final = """
SELECT key, size, etag, modified_at, checksum_algorithm, checksum_type
FROM objects_objects WHERE bucket = :bucket AND key >= :start AND key < :stop ORDER BY key LIMIT :limit
"""

# --- uploads and parts

INSERT_UPLOAD: Final = """
INSERT INTO objects_uploads (id, bucket, key, initiated_at, initiator, checksum_algorithm, checksum_type,
                             headers, metadata, tags)
VALUES (:id, :bucket, :key, :initiated_at, :initiator, :checksum_algorithm, :checksum_type,
        :headers, :metadata, :tags)
"""

FIND_UPLOAD: Final = """
SELECT id, bucket, key, initiated_at, initiator, checksum_algorithm, checksum_type, headers, metadata, tags
FROM objects_uploads WHERE id = :id AND bucket = :bucket AND key = :key
"""

DELETE_UPLOAD: Final = "DELETE FROM objects_uploads WHERE id = :id"

# From a key on, and of that key only what was begun behind the upload `after`.
LIST_UPLOADS: Final = """
SELECT id, bucket, key, initiated_at, initiator, checksum_algorithm, checksum_type, headers, metadata, tags
FROM objects_uploads
WHERE bucket = :bucket AND key >= :start AND (key > :start OR id > :after) AND (:stop = '' OR key < :stop)
ORDER BY key, id LIMIT :limit
"""

FIND_PART: Final = """
SELECT owner, number, link, digest, size, start, etag, checksum, modified_at
FROM objects_parts WHERE owner = :owner AND number = :number
"""

PUT_PART: Final = """
INSERT INTO objects_parts (owner, number, link, digest, size, start, etag, checksum, modified_at)
VALUES (:owner, :number, :link, :digest, :size, -1, :etag, :checksum, :modified_at)
ON CONFLICT (owner, number) DO UPDATE SET
    link = excluded.link, digest = excluded.digest, size = excluded.size, start = excluded.start,
    etag = excluded.etag, checksum = excluded.checksum, modified_at = excluded.modified_at
"""

LIST_PARTS: Final = """
SELECT owner, number, link, digest, size, start, etag, checksum, modified_at
FROM objects_parts WHERE owner = :owner AND number > :after ORDER BY number LIMIT :limit
"""

# Those parts of an object that hold bytes of a span.
PARTS_OF_SPAN: Final = """
SELECT owner, number, link, digest, size, start, etag, checksum, modified_at
FROM objects_parts WHERE owner = :owner AND start >= 0 AND start < :span_end AND start + size > :span_start
ORDER BY start LIMIT 10000
"""

# The object's part at an index that counts from 0, whatever numbers the upload gave.
PART_AT: Final = """
SELECT owner, number, link, digest, size, start, etag, checksum, modified_at
FROM objects_parts WHERE owner = :owner AND start >= 0 ORDER BY number LIMIT 1 OFFSET :place
"""

PLACE_PART: Final = "UPDATE objects_parts SET start = :start WHERE owner = :owner AND number = :number"

# Parts that were uploaded and then not named at completion go to an owner of their own, to be collected.
SET_ASIDE_UNUSED_PARTS: Final = "UPDATE objects_parts SET owner = :aside WHERE owner = :owner AND start < 0"

DELETE_PART: Final = "DELETE FROM objects_parts WHERE owner = :owner AND number = :number"

# --- what nothing refers to any more

DISCARD: Final = """
INSERT INTO objects_discards (owner, digest, discarded_at) VALUES (:owner, :digest, :now)
ON CONFLICT (owner) DO NOTHING
"""

DUE_DISCARDS: Final = """
SELECT owner, digest FROM objects_discards WHERE discarded_at <= :before ORDER BY discarded_at LIMIT :limit
"""

DELETE_DISCARD: Final = "DELETE FROM objects_discards WHERE owner = :owner"
