CREATE TABLE schedules_group (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    modified_at DOUBLE PRECISION NOT NULL,
    tags TEXT NOT NULL
);

-- When a schedule is due next is the ticker's to know, under the key group/name.
CREATE TABLE schedules_schedule (
    group_name TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    definition BLOB NOT NULL,
    PRIMARY KEY (group_name, name)
);

-- What a request with a client token did, so that the same request again does nothing.
CREATE TABLE schedules_token (
    operation TEXT NOT NULL,
    token TEXT NOT NULL,
    digest TEXT NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (operation, token)
);

CREATE INDEX schedules_token_in_order ON schedules_token (expires_at);
