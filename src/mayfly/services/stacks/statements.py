"""The stacks' SQL, by table."""

# Stacks.
STACK = (
    "id, account, region, name, status, reason, created_at, updated_at, deleted_at, definition, outputs, options, "
    "operation"
)
STACK_INSERT = f"""
INSERT INTO stacks_stacks (live_name, {STACK})
VALUES (:name, :id, :account, :region, :name, :status, :reason, :created_at, :updated_at, :deleted_at, :definition,
    :outputs, :options, :operation)
ON CONFLICT (account, region, live_name) DO NOTHING"""
STACK_BY_ID = f"SELECT {STACK} FROM stacks_stacks WHERE id = :id AND account = :account AND region = :region"
STACK_OF_ID = f"SELECT {STACK} FROM stacks_stacks WHERE id = :id"
STACK_BY_NAME = f"""
SELECT {STACK} FROM stacks_stacks WHERE account = :account AND region = :region AND live_name = :name"""
# Newest first; a page begins below the time and id of the last one seen. `:living`: leave out deleted ones.
STACKS_PAGE = f"""
SELECT {STACK} FROM stacks_stacks
WHERE account = :account AND region = :region AND (:living = 0 OR live_name IS NOT NULL)
    AND (created_at < :before OR (created_at = :before AND id < :before_id))
ORDER BY created_at DESC, id DESC LIMIT :limit"""
STACK_SAVE = """
UPDATE stacks_stacks
SET live_name = :live_name, status = :status, reason = :reason, updated_at = :updated_at, deleted_at = :deleted_at,
    definition = :definition, outputs = :outputs, options = :options, operation = :operation
WHERE id = :id"""
STACK_FORGET = "DELETE FROM stacks_stacks WHERE id = :id"
# What a restart has to go on with.
STACKS_UNFINISHED = "SELECT id FROM stacks_stacks WHERE operation IS NOT NULL ORDER BY id"

# Resources.
RESOURCE = (
    "stack_id, logical_id, generation, role, type, physical_id, status, reason, updated_at, properties, pending, "
    "attributes, depends_on, deletion_policy, replace_policy, begun"
)
RESOURCE_SAVE = f"""
INSERT INTO stacks_resources ({RESOURCE})
VALUES (:stack_id, :logical_id, :generation, :role, :type, :physical_id, :status, :reason, :updated_at, :properties,
    :pending, :attributes, :depends_on, :deletion_policy, :replace_policy, :begun)
ON CONFLICT (stack_id, logical_id, generation) DO UPDATE
SET role = excluded.role, physical_id = excluded.physical_id, status = excluded.status, reason = excluded.reason,
    updated_at = excluded.updated_at, properties = excluded.properties, pending = excluded.pending,
    attributes = excluded.attributes, depends_on = excluded.depends_on,
    deletion_policy = excluded.deletion_policy, replace_policy = excluded.replace_policy, begun = excluded.begun"""
RESOURCES_OF = f"SELECT {RESOURCE} FROM stacks_resources WHERE stack_id = :stack_id ORDER BY logical_id, generation"
RESOURCE_FORGET = """
DELETE FROM stacks_resources
WHERE stack_id = :stack_id AND logical_id = :logical_id AND generation = :generation"""
STACK_OF_PHYSICAL_ID = """
SELECT stack_id FROM stacks_resources WHERE physical_id = :physical_id ORDER BY updated_at DESC LIMIT 1"""

# Events.
EVENT = "stack_id, number, id, logical_id, physical_id, type, status, reason, properties, token, at"
EVENT_INSERT = f"""
INSERT INTO stacks_events ({EVENT})
SELECT :stack_id, coalesce(max(number), 0) + 1, :id, :logical_id, :physical_id, :type, :status, :reason, :properties,
    :token, :at
FROM stacks_events WHERE stack_id = :stack_id"""
EVENTS_PAGE = f"""
SELECT {EVENT} FROM stacks_events
WHERE stack_id = :stack_id AND number < :before ORDER BY number DESC LIMIT :limit"""
EVENTS_FORGET = "DELETE FROM stacks_events WHERE stack_id = :stack_id"

# Change sets.
CHANGE_SET = (
    "id, stack_id, name, status, reason, execution, kind, description, created_at, definition, changes, on_failure"
)
CHANGE_SET_INSERT = f"""
INSERT INTO stacks_change_sets ({CHANGE_SET})
VALUES (:id, :stack_id, :name, :status, :reason, :execution, :kind, :description, :created_at, :definition, :changes,
    :on_failure)
ON CONFLICT (stack_id, name) DO NOTHING"""
CHANGE_SET_BY_ID = f"SELECT {CHANGE_SET} FROM stacks_change_sets WHERE id = :id"
CHANGE_SET_BY_NAME = f"SELECT {CHANGE_SET} FROM stacks_change_sets WHERE stack_id = :stack_id AND name = :name"
CHANGE_SETS_PAGE = f"""
SELECT {CHANGE_SET} FROM stacks_change_sets
WHERE stack_id = :stack_id AND name > :after ORDER BY name LIMIT :limit"""
CHANGE_SETS_OBSOLETE = "DELETE FROM stacks_change_sets WHERE stack_id = :stack_id AND id <> :id"
# A change set that failed can never be executed, so its name is free. The AWS command line names change sets by the
# second, and two of its deployments fit into one.
CHANGE_SET_FAILED_FORGET = """
DELETE FROM stacks_change_sets WHERE stack_id = :stack_id AND name = :name AND status = 'FAILED'"""
CHANGE_SET_EXECUTED = "UPDATE stacks_change_sets SET execution = :execution WHERE id = :id"
CHANGE_SET_FORGET = "DELETE FROM stacks_change_sets WHERE id = :id"
CHANGE_SETS_FORGET = "DELETE FROM stacks_change_sets WHERE stack_id = :stack_id"
