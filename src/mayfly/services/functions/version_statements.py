"""The SQL of versions, aliases and provisioned concurrency, named. The schema is in `migrations`."""

FIND_VERSION = "SELECT document FROM functions_version WHERE function_name = :name AND number = :number"

VERSIONS = """
SELECT document FROM functions_version WHERE function_name = :name AND number > :after ORDER BY number LIMIT :limit
"""

# $LATEST of every function (as number 0) and all versions, in order of name and number, after a given one.
EVERYTHING = """
SELECT name AS function_name, 0 AS number, document FROM functions_function WHERE (name, 0) > (:name, :number)
UNION ALL
SELECT function_name, number, document FROM functions_version WHERE (function_name, number) > (:name, :number)
ORDER BY function_name, number
LIMIT :limit
"""

INSERT_VERSION = """
INSERT INTO functions_version
    (function_name, number, code_sha256, code_size, state, provisioned, least, has_settings, document)
VALUES (:name, :number, :code_sha256, :code_size, :state, :provisioned, :least, :has_settings, :document)
"""

UPDATE_VERSION = """
UPDATE functions_version
SET state = :state, provisioned = :provisioned, least = :least, has_settings = :has_settings, document = :document
WHERE function_name = :name AND number = :number
"""

DELETE_VERSION = "DELETE FROM functions_version WHERE function_name = :name AND number = :number"

DELETE_VERSIONS = "DELETE FROM functions_version WHERE function_name = :name"

VERSION_PACKAGES = "SELECT number, code_sha256 FROM functions_version WHERE function_name = :name"

PENDING_VERSIONS = "SELECT function_name, number FROM functions_version WHERE state = 'Pending'"

LAST_NUMBER = "SELECT last FROM functions_version_number WHERE function_name = :name"

SET_LAST_NUMBER = """
INSERT INTO functions_version_number (function_name, last) VALUES (:name, :number)
ON CONFLICT (function_name) DO UPDATE SET last = excluded.last
"""

FIND_ALIAS = "SELECT document FROM functions_alias WHERE function_name = :name AND name = :alias"

# `version` empty: all aliases; else those that send calls to it.
ALIASES = """
SELECT document FROM functions_alias
WHERE function_name = :name AND name > :after AND (:version = '' OR version = :version OR second = :version)
ORDER BY name
LIMIT :limit
"""

INSERT_ALIAS = """
INSERT INTO functions_alias (function_name, name, version, second, provisioned, has_settings, document)
VALUES (:name, :alias, :version, :second, :provisioned, :has_settings, :document)
ON CONFLICT (function_name, name) DO NOTHING
"""

UPDATE_ALIAS = """
UPDATE functions_alias
SET version = :version, second = :second, provisioned = :provisioned, has_settings = :has_settings,
    document = :document
WHERE function_name = :name AND name = :alias
"""

DELETE_ALIAS = "DELETE FROM functions_alias WHERE function_name = :name AND name = :alias"

DELETE_ALIASES = "DELETE FROM functions_alias WHERE function_name = :name"

VERSIONS_WITH_SETTINGS = """
SELECT document FROM functions_version WHERE function_name = :name AND has_settings = 1 ORDER BY number
"""

ALIASES_WITH_SETTINGS = """
SELECT document FROM functions_alias WHERE function_name = :name AND has_settings = 1 ORDER BY name
"""

PROVISIONED_VERSIONS = """
SELECT document FROM functions_version WHERE function_name = :name AND provisioned IS NOT NULL ORDER BY number
"""

PROVISIONED_ALIASES = """
SELECT document FROM functions_alias WHERE function_name = :name AND provisioned IS NOT NULL ORDER BY name
"""

# Those of which instances are kept by their scaling configuration.
SCALED_VERSIONS = """
SELECT document FROM functions_version WHERE function_name = :name AND least IS NOT NULL ORDER BY number
"""

FUNCTIONS_WITH_KEPT = """
SELECT function_name FROM functions_version WHERE provisioned IS NOT NULL OR least IS NOT NULL
UNION
SELECT function_name FROM functions_alias WHERE provisioned IS NOT NULL
"""

# Every number of instances that is kept, of a function, and whether its account pays because it has reserved none.
_KEPT = """
SELECT COALESCE(SUM(p.instances), 0)
FROM (
    SELECT function_name, COALESCE(provisioned, 0) + COALESCE(least, 0) AS instances FROM functions_version
    WHERE provisioned IS NOT NULL OR least IS NOT NULL
    UNION ALL
    SELECT function_name, provisioned AS instances FROM functions_alias
    WHERE provisioned IS NOT NULL
) AS p
JOIN functions_function AS f ON f.name = p.function_name
"""

KEPT = _KEPT + "WHERE f.name = :name"

KEPT_BY_OTHERS = _KEPT + "WHERE f.reserved_concurrency IS NULL AND f.name <> :name"
