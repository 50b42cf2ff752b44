-- Where the outside answers: custom resources, wait conditions, signals. `key` is what a URL shows; `sent` says that
-- the question was asked, so that a restart need not ask again.
CREATE TABLE stacks_boxes (
    id TEXT PRIMARY KEY,
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    opened_at DOUBLE PRECISION NOT NULL,
    ends_at DOUBLE PRECISION NOT NULL,
    sent INTEGER NOT NULL
);
CREATE INDEX stacks_boxes_by_stack ON stacks_boxes (stack_id);

CREATE TABLE stacks_letters (
    box TEXT NOT NULL REFERENCES stacks_boxes (id),
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (box, id)
);

-- What was found of resources that differ from what their stack says; a detection is one look at a stack.
CREATE TABLE stacks_drifts (
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    logical_id TEXT NOT NULL,
    status TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (stack_id, logical_id)
);

CREATE TABLE stacks_detections (
    id TEXT PRIMARY KEY,
    stack_id TEXT NOT NULL REFERENCES stacks_stacks (id),
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    drift TEXT NOT NULL,
    drifted INTEGER NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    names TEXT NOT NULL,
    context TEXT NOT NULL
);
CREATE INDEX stacks_detections_by_stack ON stacks_detections (stack_id);

-- Of a change set, all that its execution needs besides the definition; and nested ones below their root.
ALTER TABLE stacks_change_sets ADD COLUMN options TEXT NOT NULL DEFAULT '{}';
