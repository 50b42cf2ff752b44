"""The stacks' SQL, by table.

Columns called `sealed…` are written and read by `sealing`; the others are those that rows are found by.
"""

# Stacks.
STACK = "id, account, region, name, status, created_at, updated_at, deleted_at, sealed"
STACK_INSERT = f"""
INSERT INTO stacks_stacks (live_name, operating, {STACK})
VALUES (:name, :operating, :id, :account, :region, :name, :status, :created_at, :updated_at, :deleted_at, :sealed)
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
SET live_name = :live_name, status = :status, updated_at = :updated_at, deleted_at = :deleted_at,
    operating = :operating, sealed = :sealed
WHERE id = :id"""
# What a restart has to go on with.
STACKS_UNFINISHED = "SELECT id FROM stacks_stacks WHERE operating = 1 ORDER BY id"

# Resources.
RESOURCE = (
    "stack_id, logical_id, generation, role, type, physical_id, status, updated_at, depends_on, deletion_policy, "
    "replace_policy, begun, sealed"
)
RESOURCE_SAVE = f"""
INSERT INTO stacks_resources ({RESOURCE})
VALUES (:stack_id, :logical_id, :generation, :role, :type, :physical_id, :status, :updated_at, :depends_on,
    :deletion_policy, :replace_policy, :begun, :sealed)
ON CONFLICT (stack_id, logical_id, generation) DO UPDATE
SET role = excluded.role, physical_id = excluded.physical_id, status = excluded.status,
    updated_at = excluded.updated_at, depends_on = excluded.depends_on, deletion_policy = excluded.deletion_policy,
    replace_policy = excluded.replace_policy, begun = excluded.begun, sealed = excluded.sealed"""
RESOURCES_OF = f"SELECT {RESOURCE} FROM stacks_resources WHERE stack_id = :stack_id ORDER BY logical_id, generation"
RESOURCE_FORGET = """
DELETE FROM stacks_resources
WHERE stack_id = :stack_id AND logical_id = :logical_id AND generation = :generation"""
STACK_OF_PHYSICAL_ID = """
SELECT stack_id FROM stacks_resources WHERE physical_id = :physical_id ORDER BY updated_at DESC LIMIT 1"""

# What living stacks of a place have of one type, as last applied; oldest first.
MADE_OF_TYPE = f"""
SELECT {", ".join(f"r.{name}" for name in RESOURCE.split(", "))}
FROM stacks_resources r JOIN stacks_stacks s ON s.id = r.stack_id
WHERE r.type = :type AND r.role = 'current' AND r.status IN ('CREATE_COMPLETE', 'UPDATE_COMPLETE')
    AND s.account = :account AND s.region = :region AND s.live_name IS NOT NULL
ORDER BY s.created_at, s.id, r.logical_id"""

# Events.
EVENT = "stack_id, number, id, logical_id, physical_id, type, status, token, at, sealed"
EVENT_INSERT = f"""
INSERT INTO stacks_events ({EVENT})
SELECT :stack_id, coalesce(max(number), 0) + 1, :id, :logical_id, :physical_id, :type, :status, :token, :at, :sealed
FROM stacks_events WHERE stack_id = :stack_id"""
EVENTS_PAGE = f"""
SELECT {EVENT} FROM stacks_events
WHERE stack_id = :stack_id AND number < :before ORDER BY number DESC LIMIT :limit"""

# Change sets.
CHANGE_SET = "id, stack_id, name, status, execution, kind, created_at, on_failure, sealed"
CHANGE_SET_INSERT = f"""
INSERT INTO stacks_change_sets ({CHANGE_SET})
VALUES (:id, :stack_id, :name, :status, :execution, :kind, :created_at, :on_failure, :sealed)
ON CONFLICT (stack_id, name) DO NOTHING"""
CHANGE_SET_BY_ID = f"SELECT {CHANGE_SET} FROM stacks_change_sets WHERE id = :id"
CHANGE_SET_BY_NAME = f"SELECT {CHANGE_SET} FROM stacks_change_sets WHERE stack_id = :stack_id AND name = :name"
CHANGE_SETS_PAGE = f"""
SELECT {CHANGE_SET} FROM stacks_change_sets
WHERE stack_id = :stack_id AND name > :after ORDER BY name LIMIT :limit"""
CHANGE_SETS_OTHERS_FORGET = "DELETE FROM stacks_change_sets WHERE stack_id = :stack_id AND id <> :id"
CHANGE_SETS_OBSOLETE = """
UPDATE stacks_change_sets SET execution = 'OBSOLETE' WHERE stack_id = :stack_id AND execution = 'AVAILABLE'"""
# A change set that failed can never be executed, so its name is free. The AWS command line names change sets by the
# second, and two of its deployments fit into one.
CHANGE_SET_FAILED_FORGET = """
DELETE FROM stacks_change_sets WHERE stack_id = :stack_id AND name = :name AND status = 'FAILED'"""
CHANGE_SET_EXECUTED = "UPDATE stacks_change_sets SET execution = :execution WHERE id = :id"
CHANGE_SET_FORGET = "DELETE FROM stacks_change_sets WHERE id = :id"
CHANGE_SETS_FORGET = "DELETE FROM stacks_change_sets WHERE stack_id = :stack_id"

# Boxes and letters.
BOX = "id, stack_id, kind, sealed_key, opened_at, ends_at, sent"
BOX_INSERT = f"""
INSERT INTO stacks_boxes ({BOX}) VALUES (:id, :stack_id, :kind, :sealed_key, :opened_at, :ends_at, 0)
ON CONFLICT (id) DO NOTHING"""
BOX_BY_ID = f"SELECT {BOX} FROM stacks_boxes WHERE id = :id"
BOX_SENT = "UPDATE stacks_boxes SET sent = 1 WHERE id = :id"
BOXES_OPEN_UNTIL = "SELECT max(ends_at) FROM stacks_boxes WHERE kind = :kind"
BOX_FORGET = "DELETE FROM stacks_boxes WHERE id = :id"
BOXES_OF = "SELECT id FROM stacks_boxes WHERE stack_id = :stack_id AND (:kind = '' OR kind = :kind)"
LETTER_PUT = """
INSERT INTO stacks_letters (box, id, sealed_body, at) VALUES (:box, :id, :sealed_body, :at)
ON CONFLICT (box, id) DO NOTHING"""
LETTERS_OF = "SELECT id, sealed_body, at FROM stacks_letters WHERE box = :box ORDER BY at, id"
LETTERS_FORGET = "DELETE FROM stacks_letters WHERE box = :box"

# Drift.
DRIFT = "stack_id, logical_id, status, at, sealed_detail"
DRIFT_SAVE = f"""
INSERT INTO stacks_drifts ({DRIFT}) VALUES (:stack_id, :logical_id, :status, :at, :sealed_detail)
ON CONFLICT (stack_id, logical_id) DO UPDATE
SET status = excluded.status, at = excluded.at, sealed_detail = excluded.sealed_detail"""
DRIFTS_OF = f"SELECT {DRIFT} FROM stacks_drifts WHERE stack_id = :stack_id ORDER BY logical_id"
DRIFTS_FORGET = "DELETE FROM stacks_drifts WHERE stack_id = :stack_id"
DETECTION = "id, stack_id, status, reason, drift, drifted, at, names, context"
DETECTION_SAVE = f"""
INSERT INTO stacks_detections ({DETECTION})
VALUES (:id, :stack_id, :status, :reason, :drift, :drifted, :at, :names, :context)
ON CONFLICT (id) DO UPDATE
SET status = excluded.status, reason = excluded.reason, drift = excluded.drift, drifted = excluded.drifted"""
DETECTION_BY_ID = f"SELECT {DETECTION} FROM stacks_detections WHERE id = :id"
DETECTIONS_UNFINISHED = f"SELECT {DETECTION} FROM stacks_detections WHERE status = 'DETECTION_IN_PROGRESS'"
DETECTION_OF_STACK = "SELECT id FROM stacks_detections WHERE stack_id = :stack_id AND status = 'DETECTION_IN_PROGRESS'"
DETECTIONS_FORGET = "DELETE FROM stacks_detections WHERE stack_id = :stack_id"

# Exports and imports.
EXPORTS_OF_STACK = "SELECT name, sealed_value FROM stacks_exports WHERE stack_id = :stack_id"
EXPORT_BY_NAME = """
SELECT e.sealed_value, e.stack_id, s.name FROM stacks_exports e JOIN stacks_stacks s ON s.id = e.stack_id
WHERE e.account = :account AND e.region = :region AND e.name = :name"""
EXPORTS_PAGE = """
SELECT name, stack_id, sealed_value FROM stacks_exports
WHERE account = :account AND region = :region AND name > :after ORDER BY name LIMIT :limit"""
EXPORT_SAVE = """
INSERT INTO stacks_exports (account, region, name, stack_id, sealed_value)
VALUES (:account, :region, :name, :stack_id, :sealed_value)
ON CONFLICT (account, region, name) DO UPDATE
SET sealed_value = excluded.sealed_value, stack_id = excluded.stack_id"""
EXPORT_FORGET = "DELETE FROM stacks_exports WHERE stack_id = :stack_id AND name = :name"
IMPORTS_OF_STACK = "SELECT name FROM stacks_imports WHERE stack_id = :stack_id"
IMPORTERS_PAGE = """
SELECT s.name, s.id FROM stacks_imports i JOIN stacks_stacks s ON s.id = i.stack_id
WHERE i.account = :account AND i.region = :region AND i.name = :name AND (s.name > :after_name OR
    (s.name = :after_name AND s.id > :after_id))
ORDER BY s.name, s.id LIMIT :limit"""
IMPORT_SAVE = """
INSERT INTO stacks_imports (account, region, name, stack_id) VALUES (:account, :region, :name, :stack_id)
ON CONFLICT (account, region, name, stack_id) DO NOTHING"""
IMPORT_FORGET = "DELETE FROM stacks_imports WHERE stack_id = :stack_id AND name = :name"
MADE_BY_NAME = """
SELECT resources.stack_id, resources.logical_id FROM stacks_resources AS resources
JOIN stacks_stacks AS stacks ON stacks.id = resources.stack_id
WHERE resources.type = :type AND resources.physical_id = :physical_id AND stacks.account = :account
    AND stacks.region = :region AND resources.begun = 1"""
