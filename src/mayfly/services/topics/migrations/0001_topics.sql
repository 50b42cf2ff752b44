-- Topics, their subscriptions, and what FIFO topics remember. Times are Unix seconds.

CREATE TABLE topics_topic (
    topic_id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    revision BIGINT NOT NULL,      -- rises with every change of the topic and of any of its subscriptions
    definition TEXT NOT NULL,      -- JSON: model.Topic
    UNIQUE (account, region, name)
);

CREATE TABLE topics_subscription (
    subscription_id BIGINT PRIMARY KEY,
    topic_id BIGINT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    uuid TEXT NOT NULL UNIQUE,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    pending INTEGER NOT NULL,      -- 1 until confirmed
    pending_until DOUBLE PRECISION NOT NULL,  -- of pending ones: when they are given up
    definition TEXT NOT NULL,      -- JSON: model.Subscription
    UNIQUE (topic_id, protocol, endpoint)
);
CREATE INDEX topics_subscription_of_topic ON topics_subscription (topic_id, subscription_id);
CREATE INDEX topics_subscription_of_account ON topics_subscription (account, region, subscription_id);
CREATE INDEX topics_subscription_given_up ON topics_subscription (pending, pending_until);

-- Subscriptions of URLs that were ended; whoever has the token in their farewell may have them back for a while.
CREATE TABLE topics_cancelled (
    uuid TEXT PRIMARY KEY,
    until DOUBLE PRECISION NOT NULL,
    definition TEXT NOT NULL
);
CREATE INDEX topics_cancelled_over ON topics_cancelled (until);

CREATE TABLE topics_ids (singleton INTEGER PRIMARY KEY, last_id BIGINT NOT NULL);
INSERT INTO topics_ids (singleton, last_id) VALUES (1, 0);

-- Of FIFO topics: the last sequence number, and what was published within the deduplication interval.
CREATE TABLE topics_sequence (topic_id BIGINT PRIMARY KEY, last BIGINT NOT NULL);
CREATE TABLE topics_deduplication (
    topic_id BIGINT NOT NULL,
    scope TEXT NOT NULL,           -- the group where the scope is the group, else ''
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    until DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (topic_id, scope, deduplication_id)
);
CREATE INDEX topics_deduplication_over ON topics_deduplication (until);

-- Messages of FIFO topics with an archive.
CREATE TABLE topics_archive (
    topic_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    published_at DOUBLE PRECISION NOT NULL,
    message BLOB NOT NULL,         -- JSON: model.Message
    PRIMARY KEY (topic_id, sequence)
);
CREATE INDEX topics_archive_by_time ON topics_archive (topic_id, published_at);

-- Subscriptions of URLs with deliveries in the ready queue, and how many.
CREATE TABLE topics_lane (subscription_id BIGINT PRIMARY KEY, waiting BIGINT NOT NULL);

-- What messages are signed with; made once.
CREATE TABLE topics_signer (
    singleton INTEGER PRIMARY KEY,
    private_key TEXT NOT NULL,     -- PEM
    certificate TEXT NOT NULL      -- PEM
);
