"""The SQL of versions, portable between SQLite and PostgreSQL. `version_catalog` is who runs it."""

from typing import Final

ABOVE_ALL: Final = 2**63 - 1  # no position is as high

SET_VERSIONING: Final = "UPDATE objects_buckets SET versioning = :versioning WHERE name = :name"

FIND_OLDER: Final = """
SELECT marker, bucket, key, position, version_id, modified_at,
       bucket, key, version, size, etag, modified_at, digest, part_count,
       checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags, version_id, position
FROM objects_history WHERE bucket = :bucket AND key = :key AND version_id = :version_id
"""

NEWEST_OLDER: Final = """
SELECT marker, bucket, key, position, version_id, modified_at,
       bucket, key, version, size, etag, modified_at, digest, part_count,
       checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags, version_id, position
FROM objects_history WHERE bucket = :bucket AND key = :key ORDER BY position DESC LIMIT 1
"""

INSERT_MARKER: Final = """
INSERT INTO objects_history (bucket, key, position, version_id, marker, modified_at, version, size, etag, digest,
                             part_count, checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags)
VALUES (:bucket, :key, :position, :version_id, 1, :modified_at, '', 0, '', '', 0, '', '', '', '{}', '{}', '[]')
"""

# The current object becomes an older version; the caller removes it from its old place.
RETIRE: Final = """
INSERT INTO objects_history (bucket, key, position, version_id, marker, modified_at, version, size, etag, digest,
                             part_count, checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags)
SELECT bucket, key, position, version_id, 0, modified_at, version, size, etag, digest,
       part_count, checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags
FROM objects_objects WHERE bucket = :bucket AND key = :key
"""

# The way back.
RESTORE: Final = """
INSERT INTO objects_objects (bucket, key, position, version_id, modified_at, version, size, etag, digest,
                             part_count, checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags)
SELECT bucket, key, position, version_id, modified_at, version, size, etag, digest,
       part_count, checksum_algorithm, checksum_type, checksum_value, headers, metadata, tags
FROM objects_history WHERE bucket = :bucket AND key = :key AND position = :position
"""

DELETE_OLDER: Final = "DELETE FROM objects_history WHERE bucket = :bucket AND key = :key AND position = :position"

SET_OLDER_TAGS: Final = """
UPDATE objects_history SET tags = :tags WHERE bucket = :bucket AND key = :key AND version_id = :version_id
"""

ANY_OLDER: Final = "SELECT 1 FROM objects_history WHERE bucket = :bucket LIMIT 1"

# Both tables in one order. A limit on each side, so that neither is read further than the page needs. A version of the
# history is its key's latest when nothing is newer: then it is a delete marker.
LIST: Final = """
SELECT key, position, version_id, size, etag, modified_at, checksum_algorithm, checksum_type,
       marker, latest
FROM (
    SELECT * FROM (
        SELECT key, position, version_id, size, etag, modified_at, checksum_algorithm, checksum_type,
               0 AS marker, 1 AS latest
        FROM objects_objects
        WHERE bucket = :bucket AND key >= :start AND (:stop = '' OR key < :stop)
          AND (key > :start OR position < :below)
        ORDER BY key LIMIT :limit
    ) AS present
    UNION ALL
    SELECT * FROM (
        SELECT key, position, version_id, size, etag, modified_at, checksum_algorithm, checksum_type, marker,
               CASE WHEN EXISTS (SELECT 1 FROM objects_objects AS present
                                 WHERE present.bucket = older.bucket AND present.key = older.key)
                      OR EXISTS (SELECT 1 FROM objects_history AS newer
                                 WHERE newer.bucket = older.bucket AND newer.key = older.key
                                   AND newer.position > older.position)
                    THEN 0 ELSE 1 END AS latest
        FROM objects_history AS older
        WHERE bucket = :bucket AND key >= :start AND (:stop = '' OR key < :stop)
          AND (key > :start OR position < :below)
        ORDER BY key, position DESC LIMIT :limit
    ) AS past
) AS versions
ORDER BY key, position DESC LIMIT :limit
"""
