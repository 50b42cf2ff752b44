"""The SQL of tables, named. Portable between SQLite and PostgreSQL; every value is bound."""

# Definitions

FIND_TABLE = "SELECT definition FROM tables_definitions WHERE account = :account AND region = :region AND name = :name"

FIND_TABLE_BY_ID = "SELECT definition FROM tables_definitions WHERE table_id = :table_id"

TABLE_TOTALS = "SELECT item_count, size_bytes FROM tables_definitions WHERE table_id = :table_id"

COUNT_TABLES = "SELECT COUNT(*) FROM tables_definitions WHERE account = :account AND region = :region"

LIST_TABLES = """
SELECT name FROM tables_definitions
WHERE account = :account AND region = :region AND name > :after
ORDER BY name LIMIT :limit
"""

ALL_TABLES = "SELECT definition FROM tables_definitions WHERE table_id > :after ORDER BY table_id LIMIT :limit"

INSERT_TABLE = """
INSERT INTO tables_definitions (table_id, account, region, name, definition, item_count, size_bytes)
VALUES (:table_id, :account, :region, :name, :definition, 0, 0)
"""

REPLACE_TABLE = "UPDATE tables_definitions SET definition = :definition WHERE table_id = :table_id"

ADD_TO_TOTALS = """
UPDATE tables_definitions SET item_count = item_count + :items, size_bytes = size_bytes + :bytes
WHERE table_id = :table_id
"""

DELETE_TABLE = "DELETE FROM tables_definitions WHERE table_id = :table_id"

# Items

GET_ITEM = """
SELECT item, size_bytes FROM tables_items
WHERE table_id = :table_id AND slot = :slot AND hash_key = :hash_key AND range_key = :range_key
"""

PUT_ITEM = """
INSERT INTO tables_items (table_id, slot, hash_key, range_key, size_bytes, expires_at, item)
VALUES (:table_id, :slot, :hash_key, :range_key, :size_bytes, :expires_at, :item)
ON CONFLICT (table_id, slot, hash_key, range_key)
DO UPDATE SET size_bytes = excluded.size_bytes, expires_at = excluded.expires_at, item = excluded.item
"""

DELETE_ITEM = """
DELETE FROM tables_items
WHERE table_id = :table_id AND slot = :slot AND hash_key = :hash_key AND range_key = :range_key
"""

# Pages of items. `{bounds}` and `{order}` are filled in from the constants of pages.py, never from a request.

PAGE_OF_TABLE = """
SELECT slot, hash_key, range_key, item, size_bytes FROM tables_items
WHERE table_id = :table_id {bounds} ORDER BY {order} LIMIT :limit
"""

PAGE_OF_INDEX = """
SELECT e.slot, e.hash_key, e.range_key, i.item, i.size_bytes, e.item_hash, e.item_range
FROM tables_entries e JOIN tables_items i
ON i.table_id = e.table_id AND i.slot = e.item_slot AND i.hash_key = e.item_hash AND i.range_key = e.item_range
WHERE e.table_id = :table_id AND e.index_id = :index_id {bounds} ORDER BY {order} LIMIT :limit
"""

NEXT_ITEMS = """
SELECT slot, hash_key, range_key, item FROM tables_items
WHERE table_id = :table_id AND (slot, hash_key, range_key) > (:slot, :hash_key, :range_key)
ORDER BY slot, hash_key, range_key LIMIT :limit
"""

# Index entries

PUT_ENTRY = """
INSERT INTO tables_entries (table_id, index_id, slot, hash_key, range_key, item_slot, item_hash, item_range)
VALUES (:table_id, :index_id, :slot, :hash_key, :range_key, :item_slot, :item_hash, :item_range)
ON CONFLICT (table_id, index_id, slot, hash_key, range_key, item_hash, item_range) DO NOTHING
"""

DELETE_ENTRY = """
DELETE FROM tables_entries
WHERE table_id = :table_id AND index_id = :index_id AND slot = :slot AND hash_key = :hash_key
AND range_key = :range_key AND item_hash = :item_hash AND item_range = :item_range
"""

INDEX_TOTALS = "SELECT index_id, item_count FROM tables_index_totals WHERE table_id = :table_id"

ADD_TO_INDEX_TOTALS = """
INSERT INTO tables_index_totals (table_id, index_id, item_count) VALUES (:table_id, :index_id, :items)
ON CONFLICT (table_id, index_id) DO UPDATE SET item_count = tables_index_totals.item_count + excluded.item_count
"""

DELETE_INDEX_TOTALS = """
DELETE FROM tables_index_totals WHERE table_id = :table_id AND (index_id = :index_id OR :index_id = 0)
"""

# Tags

LIST_TAGS = "SELECT tag, content FROM tables_tags WHERE table_id = :table_id AND tag > :after ORDER BY tag LIMIT :limit"

COUNT_TAGS = "SELECT COUNT(*) FROM tables_tags WHERE table_id = :table_id"

PUT_TAG = """
INSERT INTO tables_tags (table_id, tag, content) VALUES (:table_id, :tag, :content)
ON CONFLICT (table_id, tag) DO UPDATE SET content = excluded.content
"""

DELETE_TAG = "DELETE FROM tables_tags WHERE table_id = :table_id AND tag = :tag"

DELETE_TAGS = "DELETE FROM tables_tags WHERE table_id = :table_id"

# Transactions done

FIND_TRANSACTION = """
SELECT digest, expires_at FROM tables_transactions WHERE account = :account AND region = :region AND token = :token
"""

PUT_TRANSACTION = """
INSERT INTO tables_transactions (account, region, token, digest, expires_at)
VALUES (:account, :region, :token, :digest, :expires_at)
ON CONFLICT (account, region, token) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at
"""

FIND_FORGETTABLE = "SELECT token FROM tables_transactions WHERE expires_at < :now LIMIT 1"

FORGET_TRANSACTIONS = "DELETE FROM tables_transactions WHERE expires_at < :now"

# Rows that nothing refers to any more, and items that have expired

PUT_GARBAGE = """
INSERT INTO tables_garbage (table_id, index_id) VALUES (:table_id, :index_id)
ON CONFLICT (table_id, index_id) DO NOTHING
"""

FIND_GARBAGE = "SELECT table_id, index_id FROM tables_garbage ORDER BY table_id, index_id LIMIT 1"

DELETE_GARBAGE = "DELETE FROM tables_garbage WHERE table_id = :table_id AND index_id = :index_id"

GARBAGE_ITEMS = """
SELECT slot, hash_key, range_key FROM tables_items WHERE table_id = :table_id
ORDER BY slot, hash_key, range_key LIMIT :limit
"""

GARBAGE_ENTRIES = """
SELECT index_id, slot, hash_key, range_key, item_hash, item_range FROM tables_entries
WHERE table_id = :table_id AND (index_id = :index_id OR :index_id = 0)
ORDER BY index_id, slot, hash_key, range_key, item_hash, item_range LIMIT :limit
"""

EXPIRED_ITEMS = """
SELECT table_id, slot, hash_key, range_key, item, size_bytes FROM tables_items
WHERE expires_at <= :now AND expires_at > :oldest ORDER BY expires_at LIMIT :limit
"""

SET_EXPIRY = """
UPDATE tables_items SET expires_at = :expires_at
WHERE table_id = :table_id AND slot = :slot AND hash_key = :hash_key AND range_key = :range_key
"""
