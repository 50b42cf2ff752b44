-- Event buses, their rules and targets, archives with the events in them, and replays.

-- The default bus has a row from its first change on, and exists without one.
CREATE TABLE events_buses (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE events_rules (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    name TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, region, bus, name)
);

CREATE TABLE events_targets (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    rule TEXT NOT NULL,
    id TEXT NOT NULL,
    arn TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, region, bus, rule, id)
);

CREATE INDEX events_targets_by_arn ON events_targets (account, region, bus, arn, rule);

CREATE TABLE events_tags (
    arn TEXT NOT NULL,
    tag TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (arn, tag)
);

-- serial is what the events of an archive are found by, so that a deleted archive's go at leisure and a new one of the
-- same name begins empty.
CREATE TABLE events_archives (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    bus TEXT NOT NULL,
    serial BIGINT NOT NULL UNIQUE,
    event_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE INDEX events_archives_by_bus ON events_archives (account, region, bus);

-- happened_at is the time in the event, by which it is replayed; archived_at the time by which it is kept.
CREATE TABLE events_archived (
    archive BIGINT NOT NULL,
    happened_at DOUBLE PRECISION NOT NULL,
    id BIGINT NOT NULL,
    archived_at DOUBLE PRECISION NOT NULL,
    size_bytes BIGINT NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (archive, happened_at, id)
);

CREATE INDEX events_archived_by_age ON events_archived (archive, archived_at);

CREATE TABLE events_replays (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    archive TEXT NOT NULL,
    state TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE INDEX events_replays_by_state ON events_replays (state);

-- Archives whose events are still to be removed.
CREATE TABLE events_garbage (
    archive BIGINT NOT NULL PRIMARY KEY
);

-- Destinations that events wait for, each in a ready queue of its own; put counts what was ever put there, so that a
-- lane is given up only if nothing came since it was found empty.
CREATE TABLE events_lanes (
    lane TEXT NOT NULL PRIMARY KEY,
    put BIGINT NOT NULL
);

CREATE TABLE events_serials (
    singleton INTEGER NOT NULL PRIMARY KEY,
    last_serial BIGINT NOT NULL
);

INSERT INTO events_serials (singleton, last_serial) VALUES (1, 0);
