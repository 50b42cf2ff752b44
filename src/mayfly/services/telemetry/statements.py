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
DELETE_GROUP_EVENTS = "DELETE FROM log_events WHERE group_id = :id"

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
STREAM_BYTES = "SELECT coalesce(sum(length(message) + 26), 0) FROM log_events WHERE stream_id = :id"
DELETE_STREAM_EVENTS = "DELETE FROM log_events WHERE stream_id = :id"

# Events.
NEXT_EVENT_ID = "SELECT coalesce(max(id), 0) + 1 FROM log_events"
INSERT_EVENT = (
    "INSERT INTO log_events (id, group_id, stream_id, timestamp_ms, ingested_ms, message)"
    " VALUES (:id, :group, :stream, :timestamp, :now, :message)"
)
_EVENT = "e.id, s.name, e.timestamp_ms, e.ingested_ms, e.message"
STREAM_EVENTS_FORWARD = (
    f"SELECT {_EVENT} FROM log_events e JOIN log_streams s ON s.id = e.stream_id WHERE e.stream_id = :stream"
    " AND e.timestamp_ms >= :start AND e.timestamp_ms < :end AND (e.timestamp_ms, e.id) > (:after_ms, :after_id)"
    " ORDER BY e.timestamp_ms, e.id LIMIT :limit"
)
STREAM_EVENTS_BACKWARD = (
    f"SELECT {_EVENT} FROM log_events e JOIN log_streams s ON s.id = e.stream_id WHERE e.stream_id = :stream"
    " AND e.timestamp_ms >= :start AND e.timestamp_ms < :end AND (e.timestamp_ms, e.id) < (:after_ms, :after_id)"
    " ORDER BY e.timestamp_ms DESC, e.id DESC LIMIT :limit"
)
GROUP_EVENTS = (
    f"SELECT {_EVENT} FROM log_events e JOIN log_streams s ON s.id = e.stream_id WHERE e.group_id = :group"
    " AND e.timestamp_ms >= :start AND e.timestamp_ms <= :end AND (e.timestamp_ms, e.id) > (:after_ms, :after_id)"
    " ORDER BY e.timestamp_ms, e.id LIMIT :limit"
)
EXPIRED_BYTES = (
    "SELECT coalesce(sum(length(message) + 26), 0) FROM log_events WHERE group_id = :group AND timestamp_ms < :before"
)
DELETE_EXPIRED = "DELETE FROM log_events WHERE group_id = :group AND timestamp_ms < :before"
