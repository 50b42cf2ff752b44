"""Every SQL statement of streams. Portable: SQLite and PostgreSQL run the same text."""

NEXT_IDS = "UPDATE streams_ids SET last_id = last_id + :count WHERE singleton = 1 RETURNING last_id"

FIND_STREAM = "SELECT no, retention_ms FROM streams_stream WHERE name = :name"
ALL_STREAMS = "SELECT name, no, retention_ms FROM streams_stream ORDER BY name"
INSERT_STREAM = "INSERT INTO streams_stream (name, no, retention_ms) VALUES (:name, :no, :retention_ms)"
SET_RETENTION = "UPDATE streams_stream SET retention_ms = :retention_ms WHERE name = :name"
DELETE_STREAM = "DELETE FROM streams_stream WHERE no = :no"

_SHARD = "SELECT no, low, high, opened, closed, parent, other_parent FROM streams_shard WHERE stream = :stream"
SHARDS = f"{_SHARD} ORDER BY no"
FIND_SHARD = f"{_SHARD} AND no = :no"
INSERT_SHARD = """
INSERT INTO streams_shard (stream, no, low, high, opened, closed, parent, other_parent, closed_at)
VALUES (:stream, :no, :low, :high, :opened, NULL, :parent, :other_parent, NULL)
"""
CLOSE_SHARD = """
UPDATE streams_shard SET closed = :closed, closed_at = :now WHERE stream = :stream AND no = :no AND closed IS NULL
"""
DELETE_SHARDS = "DELETE FROM streams_shard WHERE stream = :stream"
# Shards that were closed so long ago that nothing of them is kept.
FORGET_SHARDS = "DELETE FROM streams_shard WHERE stream = :stream AND closed_at <= :before"

INSERT_RECORD = """
INSERT INTO streams_record (stream, shard, sequence, arrived_at, partition_key, data)
VALUES (:stream, :shard, :sequence, :arrived_at, :partition_key, :data)
"""
READ = """
SELECT sequence, partition_key, arrived_at, data FROM streams_record
WHERE stream = :stream AND shard = :shard AND sequence > :after AND arrived_at > :old ORDER BY sequence LIMIT :count
"""
LAST_SEQUENCE = "SELECT max(sequence) FROM streams_record WHERE stream = :stream AND shard = :shard"
# The last record before a moment: reading goes on behind it.
BEFORE = """
SELECT max(sequence) FROM streams_record
WHERE stream = :stream AND shard = :shard AND arrived_at < :at
"""
FORGET_RECORDS = """
DELETE FROM streams_record WHERE (stream, shard, sequence) IN (
    SELECT stream, shard, sequence FROM streams_record
    WHERE stream = :stream AND arrived_at <= :before ORDER BY arrived_at LIMIT :count
)
"""
DELETE_RECORDS = """
DELETE FROM streams_record WHERE (stream, shard, sequence) IN (
    SELECT stream, shard, sequence FROM streams_record WHERE stream = :stream LIMIT :count
)
"""
