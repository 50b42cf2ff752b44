-- Tables, their items and what is found through their secondary indexes.

CREATE TABLE tables_definitions (
    table_id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    definition BLOB NOT NULL,
    item_count BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    UNIQUE (account, region, name)
);

-- slot is a hash of hash_key, so that a scan walks the keys in no order that anybody could come to rely on, and
-- segments of a parallel scan are ranges. Keys are in the order-preserving encoding of keys.py.
CREATE TABLE tables_items (
    table_id TEXT NOT NULL,
    slot BIGINT NOT NULL,
    hash_key BLOB NOT NULL,
    range_key BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    expires_at BIGINT,
    item BLOB NOT NULL,
    PRIMARY KEY (table_id, slot, hash_key, range_key)
);

CREATE INDEX tables_items_expiry ON tables_items (expires_at) WHERE expires_at IS NOT NULL;

-- One row for each item that an index holds: the index's key, then the item's, which breaks ties.
CREATE TABLE tables_entries (
    table_id TEXT NOT NULL,
    index_id INTEGER NOT NULL,
    slot BIGINT NOT NULL,
    hash_key BLOB NOT NULL,
    range_key BLOB NOT NULL,
    item_slot BIGINT NOT NULL,
    item_hash BLOB NOT NULL,
    item_range BLOB NOT NULL,
    PRIMARY KEY (table_id, index_id, slot, hash_key, range_key, item_hash, item_range)
);

CREATE TABLE tables_tags (
    table_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (table_id, tag)
);

-- Transactions that were done lately, by the token that the caller gave them.
CREATE TABLE tables_transactions (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    token TEXT NOT NULL,
    digest BLOB NOT NULL,
    expires_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, region, token)
);

CREATE INDEX tables_transactions_expiry ON tables_transactions (expires_at);

-- Deleted tables (index_id 0) and indexes whose rows are still to be removed, a batch at a time.
CREATE TABLE tables_garbage (
    table_id TEXT NOT NULL,
    index_id INTEGER NOT NULL,
    PRIMARY KEY (table_id, index_id)
);
