-- Outputs that other stacks of the account and region may import, and who imports them.
CREATE TABLE stacks_exports (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    value TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX stacks_exports_by_stack ON stacks_exports (stack_id);

CREATE TABLE stacks_imports (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    PRIMARY KEY (account, region, name, stack_id)
);
CREATE INDEX stacks_imports_by_stack ON stacks_imports (stack_id);
