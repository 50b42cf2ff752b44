"""Every SQL statement of the pipes service. Portable: SQLite and PostgreSQL run the same text."""

FIND = "SELECT definition FROM pipes_pipe WHERE name = :name"
PUT = """
INSERT INTO pipes_pipe (name, desired, state, source, target, definition)
VALUES (:name, :desired, :state, :source, :target, :definition)
ON CONFLICT (name) DO UPDATE SET desired = excluded.desired, state = excluded.state, source = excluded.source,
    target = excluded.target, definition = excluded.definition
"""
DELETE = "DELETE FROM pipes_pipe WHERE name = :name"
COUNT = "SELECT count(*) FROM pipes_pipe"
# Served by the primary key, in its order; the rest is tried on the way.
LIST = """
SELECT definition FROM pipes_pipe
WHERE name > :after AND name >= :prefix AND name < :past
    AND (:desired IS NULL OR desired = :desired) AND (:state IS NULL OR state = :state)
    AND source >= :source AND source < :source_past AND target >= :target AND target < :target_past
ORDER BY name LIMIT :limit
"""
# What a start has to do: run what runs, and finish what was under way.
UNSETTLED = "SELECT name FROM pipes_pipe WHERE state NOT IN ('STOPPED') AND name > :after ORDER BY name LIMIT :limit"
