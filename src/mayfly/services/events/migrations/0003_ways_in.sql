-- Ways in for events over plain HTTP: tokens of buses, webhooks of third parties; and the shapes of events that pass.

-- A token is kept as the SHA-256 of it; `prefix` is what it is shown by.
CREATE TABLE events_tokens (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    digest TEXT NOT NULL,
    prefix TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, region, bus, digest)
);

-- `secret` is sealed by the vault for the webhook's id.
CREATE TABLE events_webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    name TEXT NOT NULL,
    document BLOB NOT NULL,
    secret BLOB NOT NULL
);

CREATE UNIQUE INDEX events_webhooks_by_name ON events_webhooks (account, region, name);

-- Signatures that were used, until their timestamps are too old anyway.
CREATE TABLE events_webhooks_seen (
    webhook TEXT NOT NULL,
    digest TEXT NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (webhook, digest)
);

CREATE INDEX events_webhooks_seen_until ON events_webhooks_seen (until);

-- Buses whose events' shapes are written down, and these.
CREATE TABLE events_discoverers (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, region, bus)
);

CREATE TABLE events_schemas (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    bus TEXT NOT NULL,
    source TEXT NOT NULL,
    detail_type TEXT NOT NULL,
    version BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    first_at DOUBLE PRECISION NOT NULL,
    last_at DOUBLE PRECISION NOT NULL,
    shape BLOB NOT NULL,
    PRIMARY KEY (account, region, bus, source, detail_type)
);
