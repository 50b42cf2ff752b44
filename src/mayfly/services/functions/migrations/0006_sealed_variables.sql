-- Variables of functions are sealed at rest (`variables.py`); what an older version stored in clear is from here on.
UPDATE functions_function
SET document = json_remove(
    json_set(document, '$.configuration.sealed', mayfly_base64(mayfly_seal(
        json_extract(document, '$.configuration.environment'), 'variables of function ' || name))),
    '$.configuration.environment')
WHERE json_type(document, '$.configuration.environment') = 'object';

UPDATE functions_version
SET document = json_remove(
    json_set(document, '$.configuration.sealed', mayfly_base64(mayfly_seal(
        json_extract(document, '$.configuration.environment'), 'variables of function ' || function_name))),
    '$.configuration.environment')
WHERE json_type(document, '$.configuration.environment') = 'object';
