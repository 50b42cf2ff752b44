-- Asynchronous invocations as tasks: one row each, from its acceptance until its retention is over. What waits, and what
-- can be run again, is in the ready queue; `item` is the id of its item there.
CREATE TABLE functions_tasks (
    item INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    qualifier TEXT,
    tenant TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state INTEGER NOT NULL,
    batch TEXT,
    accepted_at DOUBLE PRECISION NOT NULL,
    deadline DOUBLE PRECISION,
    started_at DOUBLE PRECISION,
    ended_at DOUBLE PRECISION,
    failures INTEGER NOT NULL,
    version TEXT,
    log_stream TEXT,
    result BLOB,
    reason TEXT,
    progress BLOB,
    history BLOB
);

CREATE UNIQUE INDEX functions_tasks_by_id ON functions_tasks (id);

CREATE INDEX functions_tasks_in_order ON functions_tasks (name, state, item);

CREATE INDEX functions_tasks_of_batch ON functions_tasks (batch, state, item) WHERE batch IS NOT NULL;

-- What waits, and must begin by a certain time.
CREATE INDEX functions_tasks_by_deadline ON functions_tasks (deadline) WHERE state = 0 AND deadline IS NOT NULL;

-- Tenants whose shares are not the usual one.
CREATE TABLE functions_task_shares (
    tenant TEXT PRIMARY KEY,
    weight DOUBLE PRECISION NOT NULL
);
