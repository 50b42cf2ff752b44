"""Every SQL statement of event source mappings. Portable: SQLite and PostgreSQL run the same text."""

FIND = "SELECT definition FROM mappings_mapping WHERE uuid = :uuid"
FIND_DUTY = "SELECT definition FROM mappings_mapping WHERE duty = :duty"
INSERT = """
INSERT INTO mappings_mapping (uuid, source, target, duty, definition)
VALUES (:uuid, :source, :target, :duty, :definition)
"""
UPDATE = """
UPDATE mappings_mapping SET source = :source, target = :target, duty = :duty, definition = :definition
WHERE uuid = :uuid
"""
DELETE = "DELETE FROM mappings_mapping WHERE uuid = :uuid"
# Each is served by one index, in its order.
PAGE = "SELECT definition FROM mappings_mapping WHERE uuid > :after ORDER BY uuid LIMIT :limit"
PAGE_OF_SOURCE = """
SELECT definition FROM mappings_mapping WHERE source = :source AND uuid > :after ORDER BY uuid LIMIT :limit
"""
PAGE_OF_TARGET = """
SELECT definition FROM mappings_mapping WHERE target = :target AND uuid > :after ORDER BY uuid LIMIT :limit
"""

FIND_SHARD = "SELECT epoch, definition FROM mappings_shard WHERE mapping = :mapping AND shard = :shard"
SHARDS = "SELECT shard, definition FROM mappings_shard WHERE mapping = :mapping ORDER BY shard LIMIT :limit"
PUT_SHARD = """
INSERT INTO mappings_shard (mapping, shard, epoch, definition) VALUES (:mapping, :shard, :epoch, :definition)
ON CONFLICT (mapping, shard) DO UPDATE SET epoch = excluded.epoch, definition = excluded.definition
"""
MOVE_SHARD = """
UPDATE mappings_shard SET definition = :definition
WHERE mapping = :mapping AND shard = :shard AND epoch = :epoch
"""
DELETE_SHARD = "DELETE FROM mappings_shard WHERE mapping = :mapping AND shard = :shard"
DELETE_SHARDS = "DELETE FROM mappings_shard WHERE mapping = :mapping"
