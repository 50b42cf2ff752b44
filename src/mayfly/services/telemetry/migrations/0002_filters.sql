-- What is done with events that arrive in a group: handed on ("subscription") or measured ("metric").
CREATE TABLE log_filters (
    group_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    group_name TEXT NOT NULL,
    pattern TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (group_id, kind, name)
);
CREATE INDEX log_filters_by_group_name ON log_filters (kind, group_name, name);

CREATE TABLE log_resource_policies (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL,
    updated_ms BIGINT NOT NULL
);
