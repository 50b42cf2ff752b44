"""The SQL of REST APIs."""

FIND_API = "SELECT head, parts FROM rest_api WHERE id = :id"
FIND_HEAD = "SELECT head FROM rest_api WHERE id = :id"
HEADS = "SELECT head FROM rest_api WHERE id > :after ORDER BY id LIMIT :limit"
PUT_API = (
    "INSERT INTO rest_api (id, head, parts) VALUES (:id, :head, :parts)"
    " ON CONFLICT (id) DO UPDATE SET head = excluded.head, parts = excluded.parts"
)
PUT_HEAD = "UPDATE rest_api SET head = :head WHERE id = :id"
DELETE_API = "DELETE FROM rest_api WHERE id = :id"

FIND_DEPLOYMENT = "SELECT definition FROM rest_deployment WHERE api_id = :api_id AND id = :id"
FIND_DEPLOYED = "SELECT api FROM rest_deployment WHERE api_id = :api_id AND id = :id"
DEPLOYMENTS = "SELECT definition FROM rest_deployment WHERE api_id = :api_id AND id > :after ORDER BY id LIMIT :limit"
PUT_DEPLOYMENT = (
    "INSERT INTO rest_deployment (api_id, id, created_at, definition, api)"
    " VALUES (:api_id, :id, :created_at, :definition, :api)"
)
CHANGE_DEPLOYMENT = "UPDATE rest_deployment SET definition = :definition WHERE api_id = :api_id AND id = :id"
DELETE_DEPLOYMENT = "DELETE FROM rest_deployment WHERE api_id = :api_id AND id = :id"
DELETE_DEPLOYMENTS = "DELETE FROM rest_deployment WHERE api_id = :api_id"

FIND_STAGE = "SELECT definition FROM rest_stage WHERE api_id = :api_id AND name = :name"
STAGES = "SELECT definition FROM rest_stage WHERE api_id = :api_id ORDER BY name LIMIT 1000"
PUT_STAGE = (
    "INSERT INTO rest_stage (api_id, name, definition) VALUES (:api_id, :name, :definition)"
    " ON CONFLICT (api_id, name) DO UPDATE SET definition = excluded.definition"
)
DELETE_STAGE = "DELETE FROM rest_stage WHERE api_id = :api_id AND name = :name"
DELETE_STAGES = "DELETE FROM rest_stage WHERE api_id = :api_id"

FIND_KEY = "SELECT definition FROM rest_api_key WHERE id = :id"
FIND_KEY_BY_FINGERPRINT = "SELECT definition FROM rest_api_key WHERE fingerprint = :fingerprint"
FIND_KEY_VALUE = "SELECT sealed_value FROM rest_api_key WHERE id = :id"
KEYS = (
    "SELECT definition FROM rest_api_key WHERE created_at < :before OR (created_at = :before AND id > :after)"
    " ORDER BY created_at DESC, id LIMIT :limit"
)
INSERT_KEY = (
    "INSERT INTO rest_api_key (id, fingerprint, sealed_value, created_at, definition)"
    " VALUES (:id, :fingerprint, :sealed_value, :created_at, :definition)"
)
CHANGE_KEY = "UPDATE rest_api_key SET definition = :definition WHERE id = :id"
DELETE_KEY = "DELETE FROM rest_api_key WHERE id = :id"

FIND_PLAN = "SELECT definition FROM rest_usage_plan WHERE id = :id"
PLANS = "SELECT definition FROM rest_usage_plan WHERE id > :after ORDER BY id LIMIT :limit"
PUT_PLAN = (
    "INSERT INTO rest_usage_plan (id, definition) VALUES (:id, :definition)"
    " ON CONFLICT (id) DO UPDATE SET definition = excluded.definition"
)
DELETE_PLAN = "DELETE FROM rest_usage_plan WHERE id = :id"

FIND_PLAN_KEY = "SELECT key_id FROM rest_usage_plan_key WHERE plan_id = :plan_id AND key_id = :key_id"
KEYS_OF_PLAN = (
    "SELECT k.definition FROM rest_usage_plan_key p JOIN rest_api_key k ON k.id = p.key_id"
    " WHERE p.plan_id = :plan_id ORDER BY k.created_at DESC, k.id LIMIT :limit"
)
PLANS_OF_KEY = (
    "SELECT u.definition FROM rest_usage_plan_key p JOIN rest_usage_plan u ON u.id = p.plan_id"
    " WHERE p.key_id = :key_id ORDER BY u.id LIMIT 1000"
)
PUT_PLAN_KEY = "INSERT INTO rest_usage_plan_key (plan_id, key_id) VALUES (:plan_id, :key_id)"
DELETE_PLAN_KEY = "DELETE FROM rest_usage_plan_key WHERE plan_id = :plan_id AND key_id = :key_id"
DELETE_PLANS_KEYS = "DELETE FROM rest_usage_plan_key WHERE plan_id = :plan_id"
DELETE_KEYS_PLANS = "DELETE FROM rest_usage_plan_key WHERE key_id = :key_id"

USED = (
    "SELECT key_id, day, used, granted FROM rest_usage WHERE plan_id = :plan_id AND day >= :first AND day <= :last"
    " ORDER BY key_id, day"
)
USED_BY = (
    "SELECT COALESCE(SUM(used), 0), COALESCE(SUM(granted), 0) FROM rest_usage"
    " WHERE plan_id = :plan_id AND key_id = :key_id AND day >= :first AND day <= :last"
)
ADD_USED = (
    "INSERT INTO rest_usage (plan_id, key_id, day, used, granted) VALUES (:plan_id, :key_id, :day, :used, :granted)"
    " ON CONFLICT (plan_id, key_id, day)"
    " DO UPDATE SET used = rest_usage.used + excluded.used, granted = rest_usage.granted + excluded.granted"
)
DELETE_USED = "DELETE FROM rest_usage WHERE plan_id = :plan_id"

FIND_CERTIFICATE = "SELECT definition FROM rest_client_certificate WHERE id = :id"
CERTIFICATES = "SELECT definition FROM rest_client_certificate WHERE id > :after ORDER BY id LIMIT :limit"
PUT_CERTIFICATE = (
    "INSERT INTO rest_client_certificate (id, definition) VALUES (:id, :definition)"
    " ON CONFLICT (id) DO UPDATE SET definition = excluded.definition"
)
FIND_CERTIFICATE_USE = """
SELECT api_id, name FROM rest_stage WHERE json_extract(definition, '$.clientCertificateId') = :id LIMIT 1
"""
DELETE_CERTIFICATE = "DELETE FROM rest_client_certificate WHERE id = :id"

FIND_ACCOUNT = "SELECT definition FROM rest_account WHERE account = :account"
PUT_ACCOUNT = (
    "INSERT INTO rest_account (account, definition) VALUES (:account, :definition)"
    " ON CONFLICT (account) DO UPDATE SET definition = excluded.definition"
)
