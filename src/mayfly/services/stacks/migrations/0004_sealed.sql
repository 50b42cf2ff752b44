-- What callers and services said about stacks is sealed: parameters, properties, attributes and answers hold secrets.
-- Pages that were given up earlier hold them, too.
VACUUM;

ALTER TABLE stacks_stacks ADD COLUMN operating INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stacks_stacks ADD COLUMN sealed BLOB NOT NULL DEFAULT '';
UPDATE stacks_stacks
SET operating = operation IS NOT NULL,
    sealed = mayfly_seal('{"reason":' || json_quote(reason) || ',"definition":' || definition || ',"outputs":' || outputs
        || ',"options":' || options || ',"operation":' || coalesce(operation, 'null') || '}', 'stack ' || id);
ALTER TABLE stacks_stacks DROP COLUMN reason;
ALTER TABLE stacks_stacks DROP COLUMN definition;
ALTER TABLE stacks_stacks DROP COLUMN outputs;
ALTER TABLE stacks_stacks DROP COLUMN options;
ALTER TABLE stacks_stacks DROP COLUMN operation;

ALTER TABLE stacks_resources ADD COLUMN sealed BLOB NOT NULL DEFAULT '';
UPDATE stacks_resources
SET sealed = mayfly_seal('{"reason":' || json_quote(reason) || ',"properties":' || properties
        || ',"pending":' || coalesce(pending, 'null') || ',"attributes":' || attributes || '}',
    'resource ' || stack_id || ' ' || logical_id || ' ' || generation);
ALTER TABLE stacks_resources DROP COLUMN reason;
ALTER TABLE stacks_resources DROP COLUMN properties;
ALTER TABLE stacks_resources DROP COLUMN pending;
ALTER TABLE stacks_resources DROP COLUMN attributes;

ALTER TABLE stacks_events ADD COLUMN sealed BLOB NOT NULL DEFAULT '';
UPDATE stacks_events
SET sealed = mayfly_seal('{"reason":' || json_quote(reason) || ',"properties":' || json_quote(properties) || '}',
    'event ' || stack_id || ' ' || id);
ALTER TABLE stacks_events DROP COLUMN reason;
ALTER TABLE stacks_events DROP COLUMN properties;

ALTER TABLE stacks_change_sets ADD COLUMN sealed BLOB NOT NULL DEFAULT '';
UPDATE stacks_change_sets
SET sealed = mayfly_seal('{"reason":' || json_quote(reason) || ',"description":' || json_quote(description)
        || ',"definition":' || definition || ',"changes":' || changes || ',"options":' || options || '}',
    'change set ' || id);
ALTER TABLE stacks_change_sets DROP COLUMN reason;
ALTER TABLE stacks_change_sets DROP COLUMN description;
ALTER TABLE stacks_change_sets DROP COLUMN definition;
ALTER TABLE stacks_change_sets DROP COLUMN changes;
ALTER TABLE stacks_change_sets DROP COLUMN options;

ALTER TABLE stacks_boxes ADD COLUMN sealed_key BLOB NOT NULL DEFAULT '';
UPDATE stacks_boxes SET sealed_key = mayfly_seal(key, 'box ' || id);
ALTER TABLE stacks_boxes DROP COLUMN key;

ALTER TABLE stacks_letters ADD COLUMN sealed_body BLOB NOT NULL DEFAULT '';
UPDATE stacks_letters SET sealed_body = mayfly_seal(body, 'letter ' || box || ' ' || id);
ALTER TABLE stacks_letters DROP COLUMN body;

ALTER TABLE stacks_drifts ADD COLUMN sealed_detail BLOB NOT NULL DEFAULT '';
UPDATE stacks_drifts SET sealed_detail = mayfly_seal(detail, 'drift ' || stack_id || ' ' || logical_id);
ALTER TABLE stacks_drifts DROP COLUMN detail;

ALTER TABLE stacks_exports ADD COLUMN sealed_value BLOB NOT NULL DEFAULT '';
UPDATE stacks_exports
SET sealed_value = mayfly_seal(value, 'export ' || account || ' ' || region || ' ' || name);
ALTER TABLE stacks_exports DROP COLUMN value;
