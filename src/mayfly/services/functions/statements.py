"""The SQL of functions, named. The schema is in `migrations`."""

FIND = "SELECT document FROM functions_function WHERE name = :name"

FIND_BY_URL = """
SELECT f.document FROM functions_url u JOIN functions_function f ON f.name = u.function_name WHERE u.url_id = :url_id
"""

# Names sort bytewise in both dialects' binary collation; a page starts after the last name of the page before.
PAGE = "SELECT document FROM functions_function WHERE name > :after ORDER BY name LIMIT :limit"

INSERT = """
INSERT INTO functions_function (name, code_sha256, code_size, reserved_concurrency, document)
VALUES (:name, :code_sha256, :code_size, :reserved_concurrency, :document)
ON CONFLICT (name) DO NOTHING
"""

UPDATE = """
UPDATE functions_function
SET code_sha256 = :code_sha256, code_size = :code_size, reserved_concurrency = :reserved_concurrency,
    document = :document
WHERE name = :name
"""

DELETE = "DELETE FROM functions_function WHERE name = :name"

INSERT_URL = "INSERT INTO functions_url (url_id, function_name) VALUES (:url_id, :name)"

DELETE_URL = "DELETE FROM functions_url WHERE function_name = :name"

# Concurrency that other functions have reserved.
RESERVED_BY_OTHERS = """
SELECT COALESCE(SUM(reserved_concurrency), 0) FROM functions_function WHERE name <> :name
"""

RESERVATIONS = """
SELECT name, reserved_concurrency FROM functions_function WHERE reserved_concurrency IS NOT NULL
"""

USAGE = "SELECT COUNT(*), COALESCE(SUM(code_size), 0) FROM functions_function"

CODE_IN_USE = "SELECT DISTINCT code_sha256 FROM functions_function"
