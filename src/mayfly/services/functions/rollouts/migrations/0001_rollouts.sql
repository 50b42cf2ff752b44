-- Applications, deployment groups and configurations are names that templates and tools deploy by; `document` is the
-- whole of each, as JSON.
CREATE TABLE functions_rollout_application (
    name     TEXT PRIMARY KEY,
    document TEXT NOT NULL
);

CREATE TABLE functions_rollout_group (
    application TEXT NOT NULL,
    name        TEXT NOT NULL,
    config      TEXT NOT NULL,
    document    TEXT NOT NULL,
    PRIMARY KEY (application, name)
);

CREATE INDEX functions_rollout_group_config ON functions_rollout_group (config);

CREATE TABLE functions_rollout_config (
    name     TEXT PRIMARY KEY,
    document TEXT NOT NULL
);

-- One row a rollout (a deployment, for CodeDeploy). `number` rises, so that lists begin with the newest. One that is
-- under way has a live item in the ready queue.
CREATE TABLE functions_rollout (
    id          TEXT PRIMARY KEY,
    number      BIGINT NOT NULL UNIQUE,
    application TEXT NOT NULL,
    group_name  TEXT NOT NULL,
    alias       TEXT NOT NULL,           -- function:alias
    status      TEXT NOT NULL,
    created_at  DOUBLE PRECISION NOT NULL,
    document    TEXT NOT NULL
);

CREATE INDEX functions_rollout_of_group ON functions_rollout (application, group_name, number);

CREATE INDEX functions_rollout_of_alias ON functions_rollout (alias, status);
