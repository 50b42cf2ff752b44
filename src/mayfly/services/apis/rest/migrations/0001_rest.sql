-- REST APIs, as JSON documents: `head` is the API's own settings, `parts` all that it is made of.
CREATE TABLE rest_api (
    id TEXT PRIMARY KEY,
    head TEXT NOT NULL,
    parts TEXT NOT NULL
);

-- `api` is the API as it was: head and parts.
CREATE TABLE rest_deployment (
    api_id TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    definition TEXT NOT NULL,
    api TEXT NOT NULL,
    PRIMARY KEY (api_id, id)
);

CREATE TABLE rest_stage (
    api_id TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (api_id, name)
);

CREATE TABLE rest_api_key (
    id TEXT PRIMARY KEY,
    value TEXT NOT NULL UNIQUE,
    created_at DOUBLE PRECISION NOT NULL,
    definition TEXT NOT NULL
);

CREATE TABLE rest_usage_plan (
    id TEXT PRIMARY KEY,
    definition TEXT NOT NULL
);

CREATE TABLE rest_usage_plan_key (
    plan_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    PRIMARY KEY (plan_id, key_id)
);

CREATE INDEX rest_usage_plan_key_by_key ON rest_usage_plan_key (key_id);

-- How many requests of a key a plan counted, by day (UTC, ISO 8601); `granted` are those that somebody gave it beyond.
CREATE TABLE rest_usage (
    plan_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    day TEXT NOT NULL,
    used BIGINT NOT NULL,
    granted BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (plan_id, key_id, day)
);

CREATE TABLE rest_client_certificate (
    id TEXT PRIMARY KEY,
    definition TEXT NOT NULL
);

CREATE TABLE rest_account (
    account TEXT PRIMARY KEY,
    definition TEXT NOT NULL
);
