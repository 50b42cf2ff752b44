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

-- Events of one stream that arrived together, as a MessagePack list of [timestamp_ms, message] in order of time. A row an
-- event would cost a busy platform more than running the functions does.
CREATE TABLE log_chunks (
    id BIGINT PRIMARY KEY,
    group_id INTEGER NOT NULL,
    stream_id INTEGER NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    ingested_ms BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    events BLOB NOT NULL
);

CREATE INDEX log_chunks_of_stream_forward ON log_chunks (stream_id, first_ms, id);
CREATE INDEX log_chunks_of_stream_backward ON log_chunks (stream_id, last_ms, id);
CREATE INDEX log_chunks_of_group ON log_chunks (group_id, first_ms, id);
