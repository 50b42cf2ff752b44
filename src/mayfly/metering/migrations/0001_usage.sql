-- Records as they came, a MessagePack list a row, kept for a while: what a bill is checked against.
CREATE TABLE usage_records (
    id BIGINT PRIMARY KEY,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    count INTEGER NOT NULL,
    records BLOB NOT NULL
);

CREATE INDEX usage_records_by_time ON usage_records (last_ms);

-- The sums that reports are made of, kept for ever: one row an hour, function and size.
CREATE TABLE usage_hours (
    account TEXT NOT NULL,
    function_arn TEXT NOT NULL,
    hour_ms BIGINT NOT NULL,
    memory_mb INTEGER NOT NULL,
    ephemeral_mb INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    requests BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    cold_starts BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    billed_ms BIGINT NOT NULL,
    init_us BIGINT NOT NULL,
    peak_memory_mb INTEGER NOT NULL,
    PRIMARY KEY (account, function_arn, hour_ms, memory_mb, ephemeral_mb, architecture)
);

CREATE INDEX usage_hours_by_time ON usage_hours (hour_ms);
