"""The SQL of rollouts, named. The schema is in `migrations`."""

FIND_APPLICATION = "SELECT document FROM functions_rollout_application WHERE name = :name"
APPLICATIONS = "SELECT name FROM functions_rollout_application WHERE name > :after ORDER BY name LIMIT :limit"
INSERT_APPLICATION = """
INSERT INTO functions_rollout_application (name, document) VALUES (:name, :document) ON CONFLICT (name) DO NOTHING
"""
UPDATE_APPLICATION = "UPDATE functions_rollout_application SET document = :document WHERE name = :name"
DELETE_APPLICATION = "DELETE FROM functions_rollout_application WHERE name = :name"
DELETE_GROUPS = "DELETE FROM functions_rollout_group WHERE application = :application"

FIND_GROUP = "SELECT document FROM functions_rollout_group WHERE application = :application AND name = :name"
GROUPS = """
SELECT name FROM functions_rollout_group WHERE application = :application AND name > :after
ORDER BY name LIMIT :limit
"""
INSERT_GROUP = """
INSERT INTO functions_rollout_group (application, name, config, document)
VALUES (:application, :name, :config, :document)
ON CONFLICT (application, name) DO NOTHING
"""
UPDATE_GROUP = """
UPDATE functions_rollout_group SET name = :name, config = :config, document = :document
WHERE application = :application AND name = :before
"""
DELETE_GROUP = "DELETE FROM functions_rollout_group WHERE application = :application AND name = :name"

FIND_CONFIG = "SELECT document FROM functions_rollout_config WHERE name = :name"
CONFIGS = "SELECT name FROM functions_rollout_config ORDER BY name LIMIT :limit"
INSERT_CONFIG = """
INSERT INTO functions_rollout_config (name, document) VALUES (:name, :document) ON CONFLICT (name) DO NOTHING
"""
DELETE_CONFIG = "DELETE FROM functions_rollout_config WHERE name = :name"
CONFIG_IN_USE = "SELECT name FROM functions_rollout_group WHERE config = :config LIMIT 1"

FIND = "SELECT document FROM functions_rollout WHERE id = :id"
NEXT_NUMBER = "SELECT COALESCE(MAX(number), 0) + 1 FROM functions_rollout"
INSERT = """
INSERT INTO functions_rollout (id, number, application, group_name, alias, status, created_at, document)
VALUES (:id, :number, :application, :group_name, :alias, :status, :created_at, :document)
"""
UPDATE = "UPDATE functions_rollout SET status = :status, document = :document WHERE id = :id"
# Under way on one alias, or in one group.
OF_ALIAS = "SELECT id FROM functions_rollout WHERE alias = :alias AND status IN ('Created', 'InProgress') LIMIT 1"
OF_GROUP = """
SELECT id FROM functions_rollout
WHERE application = :application AND group_name = :group_name AND status IN ('Created', 'InProgress')
LIMIT 1
"""
# The newest first; an empty application stands for all, an empty group for all of an application.
PAGE = """
SELECT number, document FROM functions_rollout
WHERE number < :before AND (:application = '' OR application = :application)
    AND (:group_name = '' OR group_name = :group_name)
ORDER BY number DESC LIMIT :limit
"""
# What ended longest ago goes when there is more than is kept.
DROP_OLD = """
DELETE FROM functions_rollout
WHERE status NOT IN ('Created', 'InProgress')
    AND number <= (SELECT COALESCE(MAX(number), 0) FROM functions_rollout) - :kept
"""
