-- Variables are sealed, and no part of the document; NULL: there are none.
ALTER TABLE sandboxes_snapshot ADD COLUMN variables BLOB;
UPDATE sandboxes_snapshot
SET variables = mayfly_seal(json_extract(document, '$.wanted.environment'), 'variables of snapshot ' || id),
    document = json_remove(document, '$.wanted.environment')
WHERE json_type(document, '$.wanted.environment') = 'object';
