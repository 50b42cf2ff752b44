"""The SQL of layers, named. The schema is in `migrations`."""

FIND = "SELECT document FROM functions_layer_version WHERE name = :name AND number = :number"

FIND_MADE = "SELECT document FROM functions_layer_version WHERE token = :token"

INSERT = """
INSERT INTO functions_layer_version (name, number, content_size, runtimes, architectures, token, document)
VALUES (:name, :number, :content_size, :runtimes, :architectures, :token, :document)
"""

UPDATE = "UPDATE functions_layer_version SET document = :document WHERE name = :name AND number = :number"

DELETE = "DELETE FROM functions_layer_version WHERE name = :name AND number = :number"

LAST_NUMBER = "SELECT last FROM functions_layer_number WHERE name = :name"

SET_LAST_NUMBER = """
INSERT INTO functions_layer_number (name, last) VALUES (:name, :number)
ON CONFLICT (name) DO UPDATE SET last = excluded.last
"""

# `runtime` and `architecture` are patterns: `%` for any version, or the word that it must name.
_MATCHES = "runtimes LIKE :runtime AND architectures LIKE :architecture"

# The newest first; `before` is the number of the last one of the page before.
VERSIONS = f"""
SELECT document FROM functions_layer_version
WHERE name = :name AND number < :before AND {_MATCHES}
ORDER BY number DESC
LIMIT :limit
"""

# Of each layer the newest version that matches, in order of name.
LAYERS = f"""
SELECT v.document FROM functions_layer_version AS v
JOIN (
    SELECT name, MAX(number) AS number FROM functions_layer_version
    WHERE name > :after AND {_MATCHES}
    GROUP BY name
    ORDER BY name
    LIMIT :limit
) AS newest ON newest.name = v.name AND newest.number = v.number
ORDER BY v.name
"""

STORED = "SELECT COALESCE(SUM(content_size), 0) FROM functions_layer_version"

# What functions and their versions use.

USED_BY = "SELECT version, content FROM functions_layer_use WHERE function_name = :name"

USED_BY_VERSION = "SELECT content FROM functions_layer_use WHERE function_name = :name AND version = :version"

INSERT_USE = """
INSERT INTO functions_layer_use (function_name, version, content, tree)
VALUES (:name, :version, :content, :tree)
"""

DELETE_USES = "DELETE FROM functions_layer_use WHERE function_name = :name AND version = :version"

DELETE_ALL_USES = "DELETE FROM functions_layer_use WHERE function_name = :name"

TREES_IN_USE = "SELECT content FROM functions_layer_use UNION SELECT tree FROM functions_layer_use"
