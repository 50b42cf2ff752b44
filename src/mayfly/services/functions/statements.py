"""The SQL of functions, named. The schema is in `migrations`."""

FIND = "SELECT document FROM functions_function WHERE name = :name"

FIND_BY_URL = "SELECT function_name, alias FROM functions_url WHERE url_id = :url_id"

# Aliases of a function that have a URL.
ALIASES_WITH_URL = "SELECT alias FROM functions_url WHERE function_name = :name AND alias <> '' ORDER BY alias"

# Names sort bytewise in both dialects' binary collation; a page starts after the last name of the page before.
PAGE = "SELECT document FROM functions_function WHERE name > :after ORDER BY name LIMIT :limit"

INSERT = """
INSERT INTO functions_function (name, code_sha256, code_size, reserved_concurrency, awaits, document)
VALUES (:name, :code_sha256, :code_size, :reserved_concurrency, :awaits, :document)
ON CONFLICT (name) DO NOTHING
"""

UPDATE = """
UPDATE functions_function
SET code_sha256 = :code_sha256, code_size = :code_size, reserved_concurrency = :reserved_concurrency,
    awaits = :awaits, document = :document
WHERE name = :name
"""

DELETE = "DELETE FROM functions_function WHERE name = :name"

INSERT_URL = "INSERT INTO functions_url (url_id, function_name, alias) VALUES (:url_id, :name, :alias)"

DELETE_URL = "DELETE FROM functions_url WHERE function_name = :name AND alias = :alias"

DELETE_URLS = "DELETE FROM functions_url WHERE function_name = :name"

# Concurrency that other functions have reserved.
RESERVED_BY_OTHERS = """
SELECT COALESCE(SUM(reserved_concurrency), 0) FROM functions_function WHERE name <> :name
"""

RESERVATIONS = """
SELECT name, reserved_concurrency FROM functions_function WHERE reserved_concurrency IS NOT NULL
"""

# The packages of versions are kept, and counted, beside that of $LATEST; and so is what layers hold.
USAGE = """
SELECT (SELECT COUNT(*) FROM functions_function),
    (SELECT COALESCE(SUM(code_size), 0) FROM functions_function)
    + (SELECT COALESCE(SUM(code_size), 0) FROM functions_version)
    + (SELECT COALESCE(SUM(content_size), 0) FROM functions_layer_version)
"""

CODE_IN_USE = """
SELECT code_sha256 FROM functions_function
UNION SELECT code_sha256 FROM functions_version
UNION SELECT awaits FROM functions_function WHERE awaits IS NOT NULL
"""

# Functions that wait for an image.
WAITING = "SELECT name FROM functions_function WHERE awaits IS NOT NULL"

# What an account requires of the isolation of its functions.
REQUIRED_LEVEL = "SELECT level FROM functions_required_level WHERE account = :account"

REQUIRE_LEVEL = """
INSERT INTO functions_required_level (account, level) VALUES (:account, :level)
ON CONFLICT (account) DO UPDATE SET level = excluded.level
"""

REQUIRE_NO_LEVEL = "DELETE FROM functions_required_level WHERE account = :account"

ALL = "SELECT document FROM functions_function ORDER BY name"
