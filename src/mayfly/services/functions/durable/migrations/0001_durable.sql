-- One row an execution. `began` (model.Began) never changes; `state` (model.State) is small, and written with every
-- transition. Both are MessagePack. What an execution was given and what it ended with lie beside it, so that they are
-- written once.
CREATE TABLE durable_executions (
    execution_id  TEXT PRIMARY KEY,
    function_name TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    status        TEXT NOT NULL,
    started_at    DOUBLE PRECISION NOT NULL,
    ended_at      DOUBLE PRECISION,
    began         BLOB NOT NULL,
    state         BLOB NOT NULL
);

CREATE UNIQUE INDEX durable_executions_name ON durable_executions (function_name, name);

CREATE INDEX durable_executions_in_order ON durable_executions (function_name, started_at, execution_id);

CREATE TABLE durable_payloads (
    execution_id TEXT NOT NULL,
    kind         TEXT NOT NULL,          -- "input", "outcome"
    payload      BLOB NOT NULL,
    PRIMARY KEY (execution_id, kind)
);

-- One row an operation, numbered in the order of their starts. `changed` is the state's clock when it last changed;
-- `hidden`: a context that it is part of has ended, and nobody needs it to replay. `document` is model.Operation.
CREATE TABLE durable_operations (
    execution_id TEXT NOT NULL,
    number       BIGINT NOT NULL,
    operation_id TEXT NOT NULL,
    parent_id    TEXT,
    changed      BIGINT NOT NULL,
    hidden       BIGINT NOT NULL,        -- 0 or 1
    due_at       DOUBLE PRECISION,       -- when time changes it
    document     BLOB NOT NULL,
    PRIMARY KEY (execution_id, number)
);

CREATE UNIQUE INDEX durable_operations_id ON durable_operations (execution_id, operation_id);

CREATE INDEX durable_operations_changed ON durable_operations (execution_id, changed);

CREATE INDEX durable_operations_due ON durable_operations (execution_id, due_at) WHERE due_at IS NOT NULL;

CREATE INDEX durable_operations_parent ON durable_operations (execution_id, parent_id) WHERE parent_id IS NOT NULL;

-- The history of an execution, a row a line; `document` is model.Event.
CREATE TABLE durable_events (
    execution_id TEXT NOT NULL,
    number       BIGINT NOT NULL,
    document     BLOB NOT NULL,
    PRIMARY KEY (execution_id, number)
);
