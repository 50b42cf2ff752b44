-- Queues. Times are Unix milliseconds. The content of a queue lies under its current `store` number; purging gives the
-- queue a fresh one, and what lies under the old one is removed in the background.
CREATE TABLE queues_queue (
    no INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    dead_letter_arn TEXT,
    definition BLOB NOT NULL,
    UNIQUE (account, region, name)
);

CREATE INDEX queues_queue_sources ON queues_queue (dead_letter_arn, name) WHERE dead_letter_arn IS NOT NULL;

-- How much lies under a store number: `messages` of which `received` were received at least once.
CREATE TABLE queues_store (
    no INTEGER PRIMARY KEY,
    messages INTEGER NOT NULL,
    received INTEGER NOT NULL
);

-- The last number given to a queue, a store, a message or a group. None is ever given twice, so that an old receipt
-- handle fits nothing new.
CREATE TABLE queues_ids (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    last_id INTEGER NOT NULL
);

INSERT INTO queues_ids (singleton, last_id) VALUES (1, 0);

-- Messages. `due_at` is the one time that decides: a message may be received from then on, be it fresh, delayed or
-- held by a receiver (then it is the end of its visibility timeout). `receives` rises with every delivery and is the
-- epoch of receipt handles. A body that is too large to be rewritten with every delivery lies in queues_body.
CREATE TABLE queues_message (
    id INTEGER PRIMARY KEY,
    store INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    receives INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    first_at INTEGER,
    message_id BLOB NOT NULL,
    group_no INTEGER,
    details BLOB NOT NULL,
    body TEXT
);

CREATE INDEX queues_message_in_order ON queues_message (store, due_at, receives);

CREATE INDEX queues_message_of_group ON queues_message (group_no, id) WHERE group_no IS NOT NULL;

CREATE TABLE queues_body (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL
);

-- The groups of FIFO queues that have messages. A group may be received from at `ready_at`: not before the last of its
-- messages that are in flight is visible again, nor before its first message is due.
CREATE TABLE queues_group (
    no INTEGER PRIMARY KEY,
    store INTEGER NOT NULL,
    name TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    UNIQUE (store, name)
);

CREATE INDEX queues_group_in_order ON queues_group (store, ready_at);

-- Deduplication ids that FIFO queues remember. `scope` is the group where deduplication is by group, else empty.
CREATE TABLE queues_duplicate (
    queue_no INTEGER NOT NULL,
    scope TEXT NOT NULL,
    deduplication_id TEXT NOT NULL,
    message_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (queue_no, scope, deduplication_id)
);

CREATE INDEX queues_duplicate_expiring ON queues_duplicate (expires_at);

-- What was handed out under a ReceiveRequestAttemptId.
CREATE TABLE queues_attempt (
    queue_no INTEGER NOT NULL,
    attempt_id TEXT NOT NULL,
    handles BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (queue_no, attempt_id)
);

CREATE INDEX queues_attempt_expiring ON queues_attempt (expires_at);

-- Store numbers whose content nobody can reach any more.
CREATE TABLE queues_trash (
    store INTEGER PRIMARY KEY
);

-- Names that were deleted a moment ago.
CREATE TABLE queues_deleted (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    deleted_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- Message move tasks. `definition` says what to do and how far it is; `active` is 1 until it has ended.
CREATE TABLE queues_move_task (
    id TEXT PRIMARY KEY,
    source_arn TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    active INTEGER NOT NULL,
    definition BLOB NOT NULL
);

CREATE INDEX queues_move_task_of_source ON queues_move_task (source_arn, started_at);

CREATE INDEX queues_move_task_active ON queues_move_task (id) WHERE active = 1;
