"""The SQL of durable executions. Portable; see `migrations`."""

INSERT = """
INSERT INTO durable_executions
    (execution_id, function_name, name, version, status, started_at, ended_at, began, state)
VALUES (:execution_id, :function, :name, :version, :status, :started_at, NULL, :began, :state)
"""
UPDATE = """
UPDATE durable_executions SET status = :status, ended_at = :ended_at, state = :state WHERE execution_id = :execution_id
"""
FIND = "SELECT began, status, state, ended_at FROM durable_executions WHERE execution_id = :execution_id"
FIND_NAMED = """
SELECT began, status, state, ended_at FROM durable_executions WHERE function_name = :function AND name = :name
"""
# Both ends are open; NULL: any.
_MATCHING = """
SELECT began, status, state, ended_at FROM durable_executions
WHERE function_name = :function
    AND (:name IS NULL OR name = :name) AND (:status IS NULL OR status = :status)
    AND (:version IS NULL OR version = :version)
    AND started_at > :after AND started_at < :before
"""
NEWEST = f"""{_MATCHING}
    AND (started_at < :at OR (started_at = :at AND execution_id < :last))
ORDER BY started_at DESC, execution_id DESC LIMIT :limit
"""
OLDEST = f"""{_MATCHING}
    AND (started_at > :at OR (started_at = :at AND execution_id > :last))
ORDER BY started_at, execution_id LIMIT :limit
"""
OF_FUNCTION = """
SELECT began, status, state, ended_at FROM durable_executions
WHERE function_name = :function AND started_at <= :until AND status <> 'DELETING' LIMIT :limit
"""

PUT_PAYLOAD = """
INSERT INTO durable_payloads (execution_id, kind, payload) VALUES (:execution_id, :kind, :payload)
ON CONFLICT (execution_id, kind) DO UPDATE SET payload = excluded.payload
"""
PAYLOAD = "SELECT payload FROM durable_payloads WHERE execution_id = :execution_id AND kind = :kind"

INSERT_OPERATION = """
INSERT INTO durable_operations
    (execution_id, number, operation_id, parent_id, changed, hidden, due_at, document)
VALUES (:execution_id, :number, :operation_id, :parent_id, :changed, :hidden, :due_at, :document)
"""
TOUCH_OPERATION = """
UPDATE durable_operations SET due_at = :due_at, document = :document
WHERE execution_id = :execution_id AND number = :number
"""
UPDATE_OPERATION = """
UPDATE durable_operations SET changed = :changed, due_at = :due_at, document = :document
WHERE execution_id = :execution_id AND number = :number
"""
OPERATION = """
SELECT document, hidden FROM durable_operations WHERE execution_id = :execution_id AND operation_id = :operation_id
"""
OPERATION_NUMBERED = """
SELECT document, hidden FROM durable_operations WHERE execution_id = :execution_id AND number = :number
"""
OPERATIONS = """
SELECT document FROM durable_operations
WHERE execution_id = :execution_id AND number >= :first AND hidden = 0 ORDER BY number LIMIT :limit
"""
CHANGED = """
SELECT document FROM durable_operations
WHERE execution_id = :execution_id AND changed > :seen ORDER BY number
"""
CHANGED_IDS = """
SELECT operation_id FROM durable_operations
WHERE execution_id = :execution_id AND changed > :seen ORDER BY number
"""
DUE = """
SELECT document FROM durable_operations
WHERE execution_id = :execution_id AND due_at <= :now ORDER BY due_at, number LIMIT :limit
"""
NEXT_DUE = "SELECT min(due_at) FROM durable_operations WHERE execution_id = :execution_id AND due_at IS NOT NULL"
HIDE_BELOW = """
WITH RECURSIVE below (operation_id) AS (
    SELECT operation_id FROM durable_operations WHERE execution_id = :execution_id AND parent_id = :parent
    UNION ALL
    SELECT o.operation_id FROM durable_operations AS o JOIN below ON o.parent_id = below.operation_id
    WHERE o.execution_id = :execution_id AND o.hidden = 0
)
UPDATE durable_operations SET hidden = 1
WHERE execution_id = :execution_id AND hidden = 0 AND operation_id IN (SELECT operation_id FROM below)
"""

INSERT_EVENT = "INSERT INTO durable_events (execution_id, number, document) VALUES (:execution_id, :number, :document)"
EVENTS = """
SELECT number, document FROM durable_events
WHERE execution_id = :execution_id AND number >= :first ORDER BY number LIMIT :limit
"""
EVENTS_BACKWARDS = """
SELECT number, document FROM durable_events
WHERE execution_id = :execution_id AND number <= :first ORDER BY number DESC LIMIT :limit
"""

REMOVE_BEGINS = """
UPDATE durable_executions SET status = 'DELETING', name = execution_id WHERE execution_id = :execution_id
"""
# So many rows at a time that no write waits long.
REMOVE_SOME = (
    """
DELETE FROM durable_events WHERE execution_id = :execution_id AND number IN
    (SELECT number FROM durable_events WHERE execution_id = :execution_id LIMIT :limit)
""",
    """
DELETE FROM durable_operations WHERE execution_id = :execution_id AND number IN
    (SELECT number FROM durable_operations WHERE execution_id = :execution_id LIMIT :limit)
""",
)
REMOVE = (
    "DELETE FROM durable_payloads WHERE execution_id = :execution_id",
    "DELETE FROM durable_executions WHERE execution_id = :execution_id",
)
