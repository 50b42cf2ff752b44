"""The SQL of tasks. States are `model.State`'s numbers; 0 is queued, which includes running."""

INSERT = """
INSERT INTO functions_tasks
    (item, id, name, qualifier, tenant, priority, state, batch, accepted_at, deadline, started_at, failures)
VALUES (:item, :id, :name, :qualifier, :tenant, :priority, 0, :batch, :accepted_at, :deadline, NULL, 0)
"""
CONCLUDE = """
UPDATE functions_tasks
SET state = :state, started_at = coalesce(started_at, :started_at), ended_at = :ended_at, version = :version,
    log_stream = :log_stream, result = :result, reason = :reason, history = :history, failures = :failures
WHERE item = :item
"""
# An event that an older version of Mayfly accepted has no row yet.
FAILED = """
INSERT INTO functions_tasks
    (item, id, name, qualifier, tenant, priority, state, accepted_at, started_at, failures, history)
VALUES (:item, :id, :name, :qualifier, :tenant, :priority, 0, :accepted_at, :started_at, :failures, :history)
ON CONFLICT (item) DO UPDATE
SET started_at = coalesce(functions_tasks.started_at, excluded.started_at),
    failures = excluded.failures, history = excluded.history
"""
BEFORE = "SELECT started_at, failures, history FROM functions_tasks WHERE item = :item"
PROGRESS = "UPDATE functions_tasks SET progress = :progress WHERE item = :item AND state = 0"
AGAIN = """
UPDATE functions_tasks
SET item = :new, state = 0, accepted_at = :accepted_at, deadline = NULL, started_at = NULL, ended_at = NULL,
    failures = 0, version = NULL, log_stream = NULL, result = NULL, reason = NULL, progress = NULL
WHERE item = :item
"""

COLUMNS = """
item, id, name, qualifier, tenant, priority, state, batch, accepted_at, deadline, started_at, ended_at, failures,
version, log_stream, result, reason, progress, history
"""
# In lists, without what may be large.
LISTED = COLUMNS.replace("result, reason, progress, history", "NULL, reason, progress, NULL")
FIND = f"SELECT {COLUMNS} FROM functions_tasks WHERE id = :id"
BY_ITEM = f"SELECT {LISTED} FROM functions_tasks WHERE item = :item"
NEWEST = f"SELECT {LISTED} FROM functions_tasks WHERE item < :before ORDER BY item DESC LIMIT :count"
NEWEST_OF_FUNCTION = f"""
SELECT {LISTED} FROM functions_tasks WHERE name = :name AND state = :state AND item < :before
ORDER BY item DESC LIMIT :count
"""
NEWEST_OF_BATCH = f"""
SELECT {LISTED} FROM functions_tasks WHERE batch = :batch AND state = :state AND item < :before
ORDER BY item DESC LIMIT :count
"""
ITEMS_OF_FUNCTION = """
SELECT item FROM functions_tasks WHERE name = :name AND state = :state AND item > :after ORDER BY item LIMIT :count
"""
ITEMS_OF_BATCH = """
SELECT item FROM functions_tasks WHERE batch = :batch AND state = :state AND item > :after ORDER BY item LIMIT :count
"""
COUNTS_OF_BATCH = "SELECT state, count(*) FROM functions_tasks WHERE batch = :batch GROUP BY state"
COUNTS_OF_FUNCTION = "SELECT state, count(*) FROM functions_tasks WHERE name = :name GROUP BY state"
BATCH_EXISTS = "SELECT 1 FROM functions_tasks WHERE batch = :batch LIMIT 1"
IDS_BETWEEN = "SELECT id FROM functions_tasks WHERE id BETWEEN :first AND :last"

OVERDUE = """
SELECT item FROM functions_tasks
WHERE state = 0 AND deadline IS NOT NULL AND deadline <= :now AND started_at IS NULL ORDER BY deadline LIMIT :count
"""
NEXT_DEADLINE = """
SELECT min(deadline) FROM functions_tasks WHERE state = 0 AND deadline IS NOT NULL AND started_at IS NULL
"""
OLDEST = "SELECT item, state, ended_at, accepted_at FROM functions_tasks WHERE item > :after ORDER BY item LIMIT :count"
HOW_MANY = "SELECT count(*) FROM functions_tasks"
FORGET = "DELETE FROM functions_tasks WHERE item = :item"

SHARES = "SELECT tenant, weight FROM functions_task_shares ORDER BY tenant"
SET_SHARE = """
INSERT INTO functions_task_shares (tenant, weight) VALUES (:tenant, :weight)
ON CONFLICT (tenant) DO UPDATE SET weight = excluded.weight
"""
UNSET_SHARE = "DELETE FROM functions_task_shares WHERE tenant = :tenant"
