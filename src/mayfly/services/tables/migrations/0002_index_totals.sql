-- How many items an index holds, so that describing a table does not count them.

CREATE TABLE tables_index_totals (
    table_id TEXT NOT NULL,
    index_id INTEGER NOT NULL,
    item_count BIGINT NOT NULL,
    PRIMARY KEY (table_id, index_id)
);

INSERT INTO tables_index_totals (table_id, index_id, item_count)
SELECT table_id, index_id, COUNT(*) FROM tables_entries GROUP BY table_id, index_id;
