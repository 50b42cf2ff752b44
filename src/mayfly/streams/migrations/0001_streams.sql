-- Streams. Times are Unix milliseconds; `retention_ms` is how long a record is kept.
CREATE TABLE streams_stream (
    name TEXT PRIMARY KEY,
    no INTEGER NOT NULL,
    retention_ms INTEGER NOT NULL
);

-- Shards. Each holds the records whose keys' hashes lie from `low` to `high` (numbers of 32 hexadecimal digits), from
-- `opened` on. A shard that was split or merged is closed at `closed`, and its children go on.
CREATE TABLE streams_shard (
    stream INTEGER NOT NULL,
    no INTEGER NOT NULL,
    low TEXT NOT NULL,
    high TEXT NOT NULL,
    opened INTEGER NOT NULL,
    closed INTEGER,
    parent INTEGER,
    other_parent INTEGER,
    closed_at INTEGER,
    PRIMARY KEY (stream, no)
);

CREATE TABLE streams_record (
    stream INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    arrived_at INTEGER NOT NULL,
    partition_key TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (stream, shard, sequence)
);

CREATE INDEX streams_record_by_age ON streams_record (stream, arrived_at);

-- The last number given to a stream, a shard or a record. None is given twice, so that sequence numbers rise across
-- the shards of a stream, and from a shard to its children.
CREATE TABLE streams_ids (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    last_id INTEGER NOT NULL
);

INSERT INTO streams_ids (singleton, last_id) VALUES (1, 0);
