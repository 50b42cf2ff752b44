CREATE TABLE log_groups (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    retention_days INTEGER,
    stored_bytes BIGINT NOT NULL DEFAULT 0,
    tags TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE log_streams (
    id INTEGER PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES log_groups (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    first_event_ms BIGINT,
    last_event_ms BIGINT,
    last_ingestion_ms BIGINT,
    UNIQUE (group_id, name)
);

-- The newest streams of a group first: what `orderBy: LastEventTime` asks for.
CREATE INDEX log_streams_by_last_event ON log_streams (group_id, last_event_ms);

CREATE TABLE log_events (
    id BIGINT PRIMARY KEY,
    group_id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    ingested_ms BIGINT NOT NULL,
    message TEXT NOT NULL
);

CREATE INDEX log_events_by_stream ON log_events (stream_id, timestamp_ms, id);
CREATE INDEX log_events_by_group ON log_events (group_id, timestamp_ms, id);
