"""Every SQL statement of the schedules service. Portable: SQLite and PostgreSQL run the same text."""

# Groups.

FIND_GROUP = "SELECT name, state, created_at, modified_at, tags FROM schedules_group WHERE name = :name"
INSERT_GROUP = """
INSERT INTO schedules_group (name, state, created_at, modified_at, tags) VALUES (:name, 'ACTIVE', :now, :now, :tags)
ON CONFLICT (name) DO NOTHING
"""
# `past` is the least text above every name with the prefix, so that this is one range of the index.
LIST_GROUPS = """
SELECT name, state, created_at, modified_at, tags FROM schedules_group
WHERE name >= :prefix AND name < :past AND name > :after ORDER BY name LIMIT :limit
"""
COUNT_GROUPS = "SELECT count(*) FROM schedules_group"
SET_TAGS = "UPDATE schedules_group SET tags = :tags, modified_at = :now WHERE name = :name"
MARK_DELETING = "UPDATE schedules_group SET state = 'DELETING', modified_at = :now WHERE name = :name"
FIND_DELETING = "SELECT name FROM schedules_group WHERE state = 'DELETING' LIMIT 1"
DELETE_GROUP = "DELETE FROM schedules_group WHERE name = :name"

# Schedules.

FIND_SCHEDULE = "SELECT definition FROM schedules_schedule WHERE group_name = :group AND name = :name"
PUT_SCHEDULE = """
INSERT INTO schedules_schedule (group_name, name, state, definition) VALUES (:group, :name, :state, :definition)
ON CONFLICT (group_name, name) DO UPDATE SET state = excluded.state, definition = excluded.definition
"""
DELETE_SCHEDULE = "DELETE FROM schedules_schedule WHERE group_name = :group AND name = :name"
# Served by the primary key, in its order; `state` is tried on the way.
LIST_SCHEDULES_OF_GROUP = """
SELECT definition FROM schedules_schedule
WHERE group_name = :group AND name >= :prefix AND name < :past AND name > :after_name
    AND (:state IS NULL OR state = :state)
ORDER BY name LIMIT :limit
"""
LIST_SCHEDULES = """
SELECT definition FROM schedules_schedule
WHERE (group_name > :after_group OR (group_name = :after_group AND name > :after_name))
    AND name >= :prefix AND name < :past AND (:state IS NULL OR state = :state)
ORDER BY group_name, name LIMIT :limit
"""
SOME_OF_GROUP = "SELECT name FROM schedules_schedule WHERE group_name = :group ORDER BY name LIMIT :limit"

# Requests with client tokens.

FIND_REQUEST = """
SELECT digest FROM schedules_token WHERE operation = :operation AND token = :token AND expires_at > :now
"""
PUT_REQUEST = """
INSERT INTO schedules_token (operation, token, digest, expires_at) VALUES (:operation, :token, :digest, :expires_at)
ON CONFLICT (operation, token) DO UPDATE SET digest = excluded.digest, expires_at = excluded.expires_at
"""
# A few with every one that is added: the table stays as long as the requests of a few hours.
FORGET_REQUESTS = """
DELETE FROM schedules_token WHERE (operation, token) IN (
    SELECT operation, token FROM schedules_token WHERE expires_at <= :now ORDER BY expires_at LIMIT 3
)
"""
