-- `live_name` is the name while the stack lives and NULL afterwards, so that a name can be used again.
CREATE TABLE stacks_stacks (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    live_name TEXT,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION,
    deleted_at DOUBLE PRECISION,
    definition TEXT NOT NULL,
    outputs TEXT NOT NULL,
    options TEXT NOT NULL,
    operation TEXT,
    UNIQUE (account, region, live_name)
);
CREATE INDEX stacks_stacks_by_name ON stacks_stacks (account, region, name, created_at);

-- One row a generation: while a replacement runs, a resource has the old one and the new one.
CREATE TABLE stacks_resources (
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    logical_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    role TEXT NOT NULL,
    type TEXT NOT NULL,
    physical_id TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    properties TEXT NOT NULL,
    pending TEXT,
    attributes TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    deletion_policy TEXT NOT NULL,
    replace_policy TEXT NOT NULL,
    begun INTEGER NOT NULL,
    PRIMARY KEY (stack_id, logical_id, generation)
);
CREATE INDEX stacks_resources_by_physical_id ON stacks_resources (physical_id);

CREATE TABLE stacks_events (
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    logical_id TEXT NOT NULL,
    physical_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    properties TEXT NOT NULL,
    token TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (stack_id, number)
);

CREATE TABLE stacks_change_sets (
    id TEXT PRIMARY KEY,
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    execution TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    definition TEXT NOT NULL,
    changes TEXT NOT NULL,
    on_failure TEXT NOT NULL,
    UNIQUE (stack_id, name)
);
