"""The SQL of events, named. Portable between SQLite and PostgreSQL; every value is bound."""

from typing import Final

_BUS: Final = "account = :account AND region = :region AND bus = :bus"
_OWNER: Final = "account = :account AND region = :region"
# A prefix is the half-open range [:low, :high), so that the primary key serves it.
_NAMED: Final = "name > :after AND name >= :low AND name < :high ORDER BY name LIMIT :limit"

# Buses

FIND_BUS: Final = f"SELECT document FROM events_buses WHERE {_OWNER} AND name = :bus"
PUT_BUS: Final = """
INSERT INTO events_buses (account, region, name, document) VALUES (:account, :region, :bus, :document)
ON CONFLICT (account, region, name) DO UPDATE SET document = excluded.document
"""
DELETE_BUS: Final = f"DELETE FROM events_buses WHERE {_OWNER} AND name = :bus"
LIST_BUSES: Final = f"SELECT name, document FROM events_buses WHERE {_OWNER} AND {_NAMED}"
COUNT_BUSES: Final = f"SELECT COUNT(*) FROM events_buses WHERE {_OWNER}"

# A bus that is made anew under the same name has none of these.
DELETE_WITH_BUS: Final = tuple(
    f"DELETE FROM {table} WHERE {_BUS}"
    for table in ("events_tokens", "events_webhooks", "events_discoverers", "events_schemas")
)
FIND_DISCOVERER: Final = f"SELECT 1 FROM events_discoverers WHERE {_BUS}"

# Rules

FIND_RULE: Final = f"SELECT document FROM events_rules WHERE {_BUS} AND name = :name"
PUT_RULE: Final = """
INSERT INTO events_rules (account, region, bus, name, document) VALUES (:account, :region, :bus, :name, :document)
ON CONFLICT (account, region, bus, name) DO UPDATE SET document = excluded.document
"""
DELETE_RULE: Final = f"DELETE FROM events_rules WHERE {_BUS} AND name = :name"
LIST_RULES: Final = f"SELECT name, document FROM events_rules WHERE {_BUS} AND {_NAMED}"
COUNT_RULES: Final = f"SELECT COUNT(*) FROM events_rules WHERE {_BUS}"
ALL_RULES: Final = f"SELECT document FROM events_rules WHERE {_BUS}"

# Targets

TARGETS_OF_RULE: Final = f"SELECT document FROM events_targets WHERE {_BUS} AND rule = :rule ORDER BY id"
LIST_TARGETS: Final = f"""
SELECT document FROM events_targets WHERE {_BUS} AND rule = :rule AND id > :after ORDER BY id LIMIT :limit
"""
ALL_TARGETS: Final = f"SELECT rule, document FROM events_targets WHERE {_BUS} ORDER BY rule, id"
PUT_TARGET: Final = """
INSERT INTO events_targets (account, region, bus, rule, id, arn, document)
VALUES (:account, :region, :bus, :rule, :id, :arn, :document)
ON CONFLICT (account, region, bus, rule, id) DO UPDATE SET arn = excluded.arn, document = excluded.document
"""
DELETE_TARGET: Final = f"DELETE FROM events_targets WHERE {_BUS} AND rule = :rule AND id = :id"
RULES_BY_TARGET: Final = f"""
SELECT DISTINCT rule FROM events_targets WHERE {_BUS} AND arn = :arn AND rule > :after ORDER BY rule LIMIT :limit
"""

# Tags

LIST_TAGS: Final = "SELECT tag, content FROM events_tags WHERE arn = :arn ORDER BY tag"
PUT_TAG: Final = """
INSERT INTO events_tags (arn, tag, content) VALUES (:arn, :tag, :content)
ON CONFLICT (arn, tag) DO UPDATE SET content = excluded.content
"""
DELETE_TAG: Final = "DELETE FROM events_tags WHERE arn = :arn AND tag = :tag"
DELETE_TAGS: Final = "DELETE FROM events_tags WHERE arn = :arn"

# Archives

_ARCHIVE: Final = "name, bus, serial, event_count, size_bytes, document"
FIND_ARCHIVE: Final = f"SELECT {_ARCHIVE} FROM events_archives WHERE {_OWNER} AND name = :name"
INSERT_ARCHIVE: Final = """
INSERT INTO events_archives (account, region, name, bus, serial, event_count, size_bytes, document)
VALUES (:account, :region, :name, :bus, :serial, 0, 0, :document)
"""
REPLACE_ARCHIVE: Final = f"UPDATE events_archives SET document = :document WHERE {_OWNER} AND name = :name"
DELETE_ARCHIVE: Final = f"DELETE FROM events_archives WHERE {_OWNER} AND name = :name"
LIST_ARCHIVES: Final = f"SELECT {_ARCHIVE} FROM events_archives WHERE {_OWNER} AND {_NAMED}"
COUNT_ARCHIVES: Final = f"SELECT COUNT(*) FROM events_archives WHERE {_OWNER}"
ARCHIVES_OF_BUS: Final = f"SELECT {_ARCHIVE} FROM events_archives WHERE {_BUS}"
EVERY_ARCHIVE: Final = """
SELECT serial, document FROM events_archives WHERE serial > :after ORDER BY serial LIMIT :limit
"""

NEXT_SERIAL: Final = "UPDATE events_serials SET last_serial = last_serial + 1 WHERE singleton = 1 RETURNING last_serial"
INSERT_ARCHIVED: Final = """
INSERT INTO events_archived (archive, happened_at, id, archived_at, size_bytes, event)
VALUES (:archive, :happened_at, :id, :archived_at, :size, :event)
"""
GROW_ARCHIVE: Final = """
UPDATE events_archives SET event_count = event_count + :count, size_bytes = size_bytes + :size WHERE serial = :archive
"""
# From a place on, in the order in which events happened.
ARCHIVED_AFTER: Final = """
SELECT happened_at, id, event FROM events_archived
WHERE archive = :archive AND (happened_at, id) > (:at, :id) AND happened_at < :end
ORDER BY happened_at, id LIMIT :limit
"""
EXPIRED: Final = """
SELECT happened_at, id, size_bytes FROM events_archived
WHERE archive = :archive AND archived_at < :before ORDER BY archived_at LIMIT :limit
"""
SOME_ARCHIVED: Final = "SELECT happened_at, id, size_bytes FROM events_archived WHERE archive = :archive LIMIT :limit"
DELETE_ARCHIVED: Final = "DELETE FROM events_archived WHERE archive = :archive AND happened_at = :at AND id = :id"

PUT_GARBAGE: Final = "INSERT INTO events_garbage (archive) VALUES (:archive) ON CONFLICT (archive) DO NOTHING"
FIND_GARBAGE: Final = "SELECT archive FROM events_garbage ORDER BY archive LIMIT 1"
DELETE_GARBAGE: Final = "DELETE FROM events_garbage WHERE archive = :archive"

# Replays

_REPLAY: Final = "name, archive, state, document"
FIND_REPLAY: Final = f"SELECT {_REPLAY} FROM events_replays WHERE {_OWNER} AND name = :name"
PUT_REPLAY: Final = """
INSERT INTO events_replays (account, region, name, archive, state, document)
VALUES (:account, :region, :name, :archive, :state, :document)
ON CONFLICT (account, region, name) DO UPDATE SET state = excluded.state, document = excluded.document
"""
DELETE_REPLAY: Final = f"DELETE FROM events_replays WHERE {_OWNER} AND name = :name"
LIST_REPLAYS: Final = f"SELECT {_REPLAY} FROM events_replays WHERE {_OWNER} AND {_NAMED}"
_ACTIVE: Final = "state IN ('STARTING', 'RUNNING', 'CANCELLING')"
COUNT_ACTIVE: Final = f"SELECT COUNT(*) FROM events_replays WHERE {_ACTIVE} AND {_OWNER}"
ACTIVE_REPLAYS: Final = f"SELECT account, region, name FROM events_replays WHERE {_ACTIVE}"
ENDED_REPLAYS: Final = """
SELECT account, region, name, document FROM events_replays WHERE state IN ('COMPLETED', 'CANCELLED', 'FAILED')
"""

# Lanes

PUT_LANE: Final = """
INSERT INTO events_lanes (lane, put) VALUES (:lane, 1) ON CONFLICT (lane) DO UPDATE SET put = events_lanes.put + 1
"""
FIND_LANE: Final = "SELECT put FROM events_lanes WHERE lane = :lane"
DELETE_LANE: Final = "DELETE FROM events_lanes WHERE lane = :lane"
LIST_LANES: Final = "SELECT lane FROM events_lanes WHERE lane > :after ORDER BY lane LIMIT :limit"
