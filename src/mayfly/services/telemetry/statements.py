"""Every SQL statement of logs, by name."""

# Groups.
GROUP_COLUMNS = "id, name, created_ms, retention_days, stored_bytes, tags"
FIND_GROUP = f"SELECT {GROUP_COLUMNS} FROM log_groups WHERE name = :name"
NEXT_GROUP_ID = "SELECT coalesce(max(id), 0) + 1 FROM log_groups"
INSERT_GROUP = (
    "INSERT INTO log_groups (id, name, created_ms, retention_days, tags) VALUES (:id, :name, :now, NULL, :tags)"
)
# The prefix is the half-open range [:low, :high) so that the index on the name serves it.
LIST_GROUPS = (
    f"SELECT {GROUP_COLUMNS} FROM log_groups WHERE name > :after AND name >= :low AND name < :high"
    " ORDER BY name LIMIT :limit"
)
SET_RETENTION = "UPDATE log_groups SET retention_days = :days WHERE id = :id"
SET_TAGS = "UPDATE log_groups SET tags = :tags WHERE id = :id"
GROW_GROUP = "UPDATE log_groups SET stored_bytes = stored_bytes + :bytes WHERE id = :id"
GROUPS_WITH_RETENTION = f"SELECT {GROUP_COLUMNS} FROM log_groups WHERE retention_days IS NOT NULL"
DELETE_GROUP = "DELETE FROM log_groups WHERE id = :id"
DELETE_GROUP_STREAMS = "DELETE FROM log_streams WHERE group_id = :id"
DELETE_GROUP_CHUNKS = "DELETE FROM log_chunks WHERE group_id = :id"

# Streams.
STREAM_COLUMNS = "id, group_id, name, created_ms, first_event_ms, last_event_ms, last_ingestion_ms"
FIND_STREAM = f"SELECT {STREAM_COLUMNS} FROM log_streams WHERE group_id = :group AND name = :name"
NEXT_STREAM_ID = "SELECT coalesce(max(id), 0) + 1 FROM log_streams"
INSERT_STREAM = "INSERT INTO log_streams (id, group_id, name, created_ms) VALUES (:id, :group, :name, :now)"
LIST_STREAMS_BY_NAME = (
    f"SELECT {STREAM_COLUMNS} FROM log_streams WHERE group_id = :group AND name > :after"
    " AND name >= :low AND name < :high ORDER BY name LIMIT :limit"
)
LIST_STREAMS_BY_NAME_DOWN = (
    f"SELECT {STREAM_COLUMNS} FROM log_streams WHERE group_id = :group AND name < :after"
    " AND name >= :low AND name < :high ORDER BY name DESC LIMIT :limit"
)
LIST_STREAMS_BY_TIME = (
    f"SELECT {STREAM_COLUMNS} FROM log_streams WHERE group_id = :group"
    " AND (coalesce(last_event_ms, 0), id) > (:after_ms, :after_id)"
    " ORDER BY coalesce(last_event_ms, 0), id LIMIT :limit"
)
LIST_STREAMS_BY_TIME_DOWN = (
    f"SELECT {STREAM_COLUMNS} FROM log_streams WHERE group_id = :group"
    " AND (coalesce(last_event_ms, 0), id) < (:after_ms, :after_id)"
    " ORDER BY coalesce(last_event_ms, 0) DESC, id DESC LIMIT :limit"
)
TOUCH_STREAM = (
    "UPDATE log_streams SET last_ingestion_ms = :now,"
    " first_event_ms = CASE WHEN first_event_ms IS NULL OR first_event_ms > :first THEN :first"
    " ELSE first_event_ms END,"
    " last_event_ms = CASE WHEN last_event_ms IS NULL OR last_event_ms < :last THEN :last ELSE last_event_ms END"
    " WHERE id = :id"
)
DELETE_STREAM = "DELETE FROM log_streams WHERE id = :id"
STREAM_BYTES = "SELECT coalesce(sum(bytes), 0) FROM log_chunks WHERE stream_id = :id"
DELETE_STREAM_CHUNKS = "DELETE FROM log_chunks WHERE stream_id = :id"

# Chunks of events. Readers go through them in order of their first event, or of their last one backwards.
NEXT_CHUNK_ID = "SELECT coalesce(max(id), 0) + 1 FROM log_chunks"
INSERT_CHUNK = (
    "INSERT INTO log_chunks (id, group_id, stream_id, first_ms, last_ms, ingested_ms, bytes, events)"
    " VALUES (:id, :group, :stream, :first, :last, :now, :bytes, :events)"
)
_CHUNK = "c.id, s.name, c.first_ms, c.last_ms, c.ingested_ms, c.events"
_FROM = "FROM log_chunks c JOIN log_streams s ON s.id = c.stream_id"
# `:from` is `:low` less the longest span of a chunk, so that the index finds where to begin.
_OVERLAP = "AND c.first_ms >= :from AND c.first_ms < :high AND c.last_ms >= :low"
_AFTER = "AND (c.first_ms, c.id) > (:after_ms, :after_id) ORDER BY c.first_ms, c.id LIMIT :limit"
STREAM_CHUNKS_FORWARD = f"SELECT {_CHUNK} {_FROM} WHERE c.stream_id = :owner {_OVERLAP} {_AFTER}"
GROUP_CHUNKS_FORWARD = f"SELECT {_CHUNK} {_FROM} WHERE c.group_id = :owner {_OVERLAP} {_AFTER}"
# Backwards `:from` is `:high` plus the longest span.
STREAM_CHUNKS_BACKWARD = (
    f"SELECT {_CHUNK} {_FROM} WHERE c.stream_id = :owner"
    " AND c.last_ms < :from AND c.last_ms >= :low AND c.first_ms < :high"
    " AND (c.last_ms, c.id) < (:after_ms, :after_id) ORDER BY c.last_ms DESC, c.id DESC LIMIT :limit"
)
EXPIRED_BYTES = "SELECT coalesce(sum(bytes), 0) FROM log_chunks WHERE group_id = :group AND last_ms < :before"
DELETE_EXPIRED = "DELETE FROM log_chunks WHERE group_id = :group AND last_ms < :before"

# Filters of groups, by kind and name.
FILTER_COLUMNS = "kind, name, group_name, pattern, settings, created_ms"
FILTERS_OF_GROUP = f"SELECT {FILTER_COLUMNS} FROM log_filters WHERE group_id = :group ORDER BY kind, name"
PUT_FILTER = """
INSERT INTO log_filters (group_id, kind, name, group_name, pattern, settings, created_ms)
VALUES (:group, :kind, :name, :group_name, :pattern, :settings, :created_ms)
ON CONFLICT (group_id, kind, name) DO UPDATE SET pattern = excluded.pattern, settings = excluded.settings"""
DELETE_FILTER = "DELETE FROM log_filters WHERE group_id = :group AND kind = :kind AND name = :name"
DELETE_GROUP_FILTERS = "DELETE FROM log_filters WHERE group_id = :id"
DELETE_WITH_GROUP = (DELETE_GROUP_FILTERS, DELETE_GROUP_CHUNKS, DELETE_GROUP_STREAMS, DELETE_GROUP)
COUNT_METRIC_FILTERS = "SELECT count(*) FROM log_filters WHERE group_id = :group AND kind = 'metric'"
LIST_FILTERS = f"""
SELECT {FILTER_COLUMNS} FROM log_filters
WHERE kind = :kind AND (:only IS NULL OR group_name = :only) AND (group_name, name) > (:after_group, :after_name)
    AND name >= :low AND name < :high
ORDER BY group_name, name LIMIT :limit"""

# Resource policies.
PUT_POLICY = """
INSERT INTO log_resource_policies (name, document, updated_ms) VALUES (:name, :document, :now)
ON CONFLICT (name) DO UPDATE SET document = excluded.document, updated_ms = excluded.updated_ms"""
LIST_POLICIES = """
SELECT name, document, updated_ms FROM log_resource_policies WHERE name > :after ORDER BY name LIMIT :limit"""
DELETE_POLICY = "DELETE FROM log_resource_policies WHERE name = :name"
