"""The SQL of code signing, named. The schema is in `migrations`."""

FIND = "SELECT document FROM functions_signing_config WHERE id = :id"

FIND_MADE = "SELECT document FROM functions_signing_config WHERE token = :token"

INSERT = "INSERT INTO functions_signing_config (id, token, document) VALUES (:id, :token, :document)"

UPDATE = "UPDATE functions_signing_config SET document = :document WHERE id = :id"

DELETE = "DELETE FROM functions_signing_config WHERE id = :id"

PAGE = "SELECT document FROM functions_signing_config WHERE id > :after ORDER BY id LIMIT :limit"

OF_FUNCTION = """
SELECT c.document FROM functions_signing_config AS c
JOIN functions_signing_use AS u ON u.config_id = c.id
WHERE u.function_name = :name
"""

FUNCTIONS = """
SELECT function_name FROM functions_signing_use
WHERE config_id = :id AND function_name > :after
ORDER BY function_name
LIMIT :limit
"""

BIND = """
INSERT INTO functions_signing_use (function_name, config_id) VALUES (:name, :id)
ON CONFLICT (function_name) DO UPDATE SET config_id = excluded.config_id
"""

UNBIND = "DELETE FROM functions_signing_use WHERE function_name = :name"
