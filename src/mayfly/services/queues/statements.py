"""Every SQL statement of the queues service. Portable: SQLite and PostgreSQL run the same text."""

# Numbers.

NEXT_IDS = "UPDATE queues_ids SET last_id = last_id + :count WHERE singleton = 1 RETURNING last_id"

# Queues.

FIND_QUEUE = "SELECT definition FROM queues_queue WHERE account = :account AND region = :region AND name = :name"
INSERT_QUEUE = """
INSERT INTO queues_queue (no, account, region, name, dead_letter_arn, definition)
VALUES (:no, :account, :region, :name, :dead_letter_arn, :definition)
"""
REPLACE_QUEUE = """
UPDATE queues_queue SET dead_letter_arn = :dead_letter_arn, definition = :definition WHERE no = :no
"""
DELETE_QUEUE = "DELETE FROM queues_queue WHERE no = :no"
# `past` is the least text above every name with the prefix, so that this is one range of the index.
LIST_QUEUES = """
SELECT name FROM queues_queue
WHERE account = :account AND region = :region AND name >= :prefix AND name < :past AND name > :after
ORDER BY name LIMIT :count
"""
LIST_SOURCES = """
SELECT definition FROM queues_queue WHERE dead_letter_arn = :arn AND name > :after ORDER BY name LIMIT :count
"""
ALL_QUEUES = "SELECT definition FROM queues_queue WHERE no > :after ORDER BY no LIMIT :count"

PUT_DELETED = """
INSERT INTO queues_deleted (account, region, name, deleted_at) VALUES (:account, :region, :name, :now)
ON CONFLICT (account, region, name) DO UPDATE SET deleted_at = excluded.deleted_at
"""
FIND_DELETED = "SELECT deleted_at FROM queues_deleted WHERE account = :account AND region = :region AND name = :name"
FORGET_DELETED = "DELETE FROM queues_deleted WHERE deleted_at <= :before"

# How much there is.

INSERT_STORE = "INSERT INTO queues_store (no, messages, received) VALUES (:no, 0, 0)"
ADD_TO_STORE = """
UPDATE queues_store SET messages = messages + :messages, received = received + :received WHERE no = :no
"""
FIND_STORE = "SELECT messages, received FROM queues_store WHERE no = :no"
DELETE_STORE = "DELETE FROM queues_store WHERE no = :no"
# Both read nothing but the part of the index that lies in the future; the first, no more than `most` entries of it.
COUNT_IN_FLIGHT = """
SELECT coalesce(sum(CASE WHEN receives > 0 THEN 1 ELSE 0 END), 0)
FROM (SELECT receives FROM queues_message WHERE store = :store AND due_at > :now LIMIT :most) AS future
"""
COUNT_LATER = """
SELECT count(*), coalesce(sum(CASE WHEN receives = 0 THEN 1 ELSE 0 END), 0)
FROM queues_message WHERE store = :store AND due_at > :now
"""

# Messages.

INSERT_MESSAGE = """
INSERT INTO queues_message (id, store, due_at, receives, sent_at, first_at, message_id, group_no, details, body)
VALUES (:id, :store, :due_at, 0, :sent_at, NULL, :message_id, :group_no, :details, :body)
"""
INSERT_BODY = "INSERT INTO queues_body (id, body) VALUES (:id, :body)"
_COLUMNS = """
m.id, m.due_at, m.receives, m.sent_at, m.first_at, m.message_id, m.group_no, m.details, coalesce(m.body, b.body)
FROM queues_message AS m LEFT JOIN queues_body AS b ON b.id = m.id AND m.body IS NULL
"""
# Served by queues_message_in_order: the rows come in order, and the scan ends with the last one wanted. A message that
# fell due before `old` is too old; millions of them may lie there until they are swept, and nobody walks over them.
SELECT_DUE = f"""
SELECT {_COLUMNS} WHERE m.store = :store AND m.due_at > :old AND m.due_at <= :now
ORDER BY m.due_at, m.receives, m.id LIMIT :count
"""
SELECT_OF_GROUP = f"SELECT {_COLUMNS} WHERE m.group_no = :group_no ORDER BY m.id LIMIT :count"
SELECT_HELD = f"SELECT {_COLUMNS} WHERE m.id = :id AND m.store = :store AND m.receives = :receives AND m.due_at > :now"
EARLIEST = "SELECT min(due_at) FROM queues_message WHERE store = :store AND due_at > :now"
HOLD = "UPDATE queues_message SET due_at = :until, receives = :receives, first_at = :first_at WHERE id = :id"
# As if it had not been delivered.
UNDO_HOLD = """
UPDATE queues_message SET due_at = :now, receives = receives - 1,
    first_at = CASE WHEN receives = 1 THEN NULL ELSE first_at END
WHERE id = :id AND store = :store AND receives = :receives AND due_at > :now
"""
SET_DUE = "UPDATE queues_message SET due_at = :due_at WHERE id = :id"
FIND_HELD = "SELECT due_at, receives, group_no FROM queues_message WHERE id = :id AND store = :store"
DELETE_HELD = (
    "DELETE FROM queues_message WHERE id = :id AND store = :store AND receives = :receives AND group_no IS NULL"
)
DELETE_MESSAGE = "DELETE FROM queues_message WHERE id = :id"
DELETE_UNOWNED_BODY = """
DELETE FROM queues_body WHERE id = :id AND NOT EXISTS (SELECT 1 FROM queues_message WHERE id = :id)
"""
DELETE_BODY = "DELETE FROM queues_body WHERE id = :id"
MOVE_MESSAGE = """
UPDATE queues_message SET id = :new_id, store = :store, due_at = :due_at, receives = :receives, sent_at = :sent_at,
    first_at = :first_at, message_id = :message_id, group_no = :group_no, details = :details
WHERE id = :id
"""
MOVE_BODY = "UPDATE queues_body SET id = :new_id WHERE id = :id"
# Fresh messages whose delay would be another one now, from the latest on, behind one that was seen.
FRESH_SINCE = """
SELECT id, due_at, sent_at, group_no FROM queues_message
WHERE store = :store AND due_at > :since AND due_at <= :at AND receives < 1 AND (due_at < :at OR id < :id)
ORDER BY due_at DESC, receives DESC, id DESC LIMIT :count
"""
EXPIRED = """
SELECT id, receives, group_no FROM queues_message
WHERE store = :store AND due_at <= :before ORDER BY due_at LIMIT :count
"""
IN_STORE = "SELECT id FROM queues_message WHERE store = :store LIMIT :count"

# Groups.

FIND_GROUP = "SELECT no FROM queues_group WHERE store = :store AND name = :name"
INSERT_GROUP = "INSERT INTO queues_group (no, store, name, ready_at) VALUES (:no, :store, :name, :ready_at)"
READY_GROUPS = """
SELECT no FROM queues_group WHERE store = :store AND ready_at <= :now ORDER BY ready_at, no LIMIT :count
"""
EARLIEST_GROUP = "SELECT min(ready_at) FROM queues_group WHERE store = :store AND ready_at > :now"
SET_READY = "UPDATE queues_group SET ready_at = :ready_at WHERE no = :no"
DELETE_GROUP = "DELETE FROM queues_group WHERE no = :no"
HEAD_OF_GROUP = "SELECT due_at, receives FROM queues_message WHERE group_no = :no ORDER BY id LIMIT :count"
DELETE_SOME_GROUPS = """
DELETE FROM queues_group WHERE no IN (SELECT no FROM queues_group WHERE store = :store LIMIT :count)
"""

# Deduplication and attempts.

FIND_DUPLICATE = """
SELECT message_id, sequence FROM queues_duplicate
WHERE store = :store AND scope = :scope AND deduplication_id = :deduplication_id AND expires_at > :now
"""
PUT_DUPLICATE = """
INSERT INTO queues_duplicate (store, scope, deduplication_id, message_id, sequence, expires_at)
VALUES (:store, :scope, :deduplication_id, :message_id, :sequence, :expires_at)
ON CONFLICT (store, scope, deduplication_id) DO UPDATE
SET message_id = excluded.message_id, sequence = excluded.sequence, expires_at = excluded.expires_at
"""
FORGET_DUPLICATES = """
DELETE FROM queues_duplicate WHERE (store, scope, deduplication_id) IN (
    SELECT store, scope, deduplication_id FROM queues_duplicate WHERE expires_at <= :now LIMIT :count
)
"""
FIND_ATTEMPT = """
SELECT handles FROM queues_attempt WHERE queue_no = :queue_no AND attempt_id = :attempt_id AND expires_at > :now
"""
PUT_ATTEMPT = """
INSERT INTO queues_attempt (queue_no, attempt_id, handles, expires_at)
VALUES (:queue_no, :attempt_id, :handles, :expires_at)
ON CONFLICT (queue_no, attempt_id) DO UPDATE SET handles = excluded.handles, expires_at = excluded.expires_at
"""
FORGET_ATTEMPTS = """
DELETE FROM queues_attempt WHERE (queue_no, attempt_id) IN (
    SELECT queue_no, attempt_id FROM queues_attempt WHERE expires_at <= :now LIMIT :count
)
"""

# What nobody can reach.

PUT_TRASH = "INSERT INTO queues_trash (store) VALUES (:store)"
ANY_TRASH = "SELECT store FROM queues_trash ORDER BY store LIMIT 1"
DELETE_TRASH = "DELETE FROM queues_trash WHERE store = :store"

# Message move tasks.

INSERT_TASK = """
INSERT INTO queues_move_task (id, source_arn, started_at, active, definition)
VALUES (:id, :source_arn, :started_at, 1, :definition)
"""
FIND_TASK = "SELECT definition FROM queues_move_task WHERE id = :id"
UPDATE_TASK = "UPDATE queues_move_task SET active = :active, definition = :definition WHERE id = :id"
ACTIVE_TASKS = "SELECT definition FROM queues_move_task WHERE active = 1 ORDER BY started_at"
TASKS_OF_SOURCE = """
SELECT definition FROM queues_move_task WHERE source_arn = :source_arn ORDER BY started_at DESC, id LIMIT :count
"""
ACTIVE_OF_SOURCE = "SELECT 1 FROM queues_move_task WHERE source_arn = :source_arn AND active = 1"
FORGET_TASKS = "DELETE FROM queues_move_task WHERE active = 0 AND started_at <= :before"
