-- The ready queue. `due_at` is the one time that decides: an item may be claimed from then on, be it fresh, delayed,
-- or leased (then it is the end of the lease). A claim seeks queue and priority and reads in order of due_at, id.
CREATE TABLE queue_items (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    due_at DOUBLE PRECISION NOT NULL,
    leased INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    enqueued_at DOUBLE PRECISION NOT NULL,
    payload BLOB
);

CREATE INDEX queue_items_in_order ON queue_items (queue, priority, due_at);

-- Small however long the queues are: only what is being worked on.
CREATE INDEX queue_items_leased ON queue_items (id) WHERE leased = 1;

-- Payloads too large to be rewritten with every claim; the item's own `payload` is NULL then.
CREATE TABLE queue_payloads (
    id INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
);

CREATE TABLE queue_dead_items (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    payload BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    enqueued_at DOUBLE PRECISION NOT NULL,
    died_at DOUBLE PRECISION NOT NULL
);

CREATE INDEX queue_dead_items_in_order ON queue_dead_items (queue, id);

-- The last id given to an item. An id is never given twice: an old claim must not fit a new item.
CREATE TABLE queue_ids (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    last_id INTEGER NOT NULL
);

INSERT INTO queue_ids (singleton, last_id) VALUES (1, 0);

-- Blobs whose bytes are durable, and who needs them. `owners` counts the rows of blob_owners, so that a sweep looks at
-- nothing but what it may take.
CREATE TABLE blobs (
    digest TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    put_at DOUBLE PRECISION NOT NULL,
    owners INTEGER NOT NULL
);

CREATE INDEX blobs_unowned ON blobs (put_at, digest) WHERE owners = 0;

CREATE TABLE blob_owners (
    digest TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (digest, owner)
);

-- How far each journal is folded: everything before byte `position` of segment `segment`.
CREATE TABLE journal_positions (
    name TEXT PRIMARY KEY,
    segment INTEGER NOT NULL,
    position INTEGER NOT NULL
);
