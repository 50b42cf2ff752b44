-- Passwords in URLs of subscriptions: the URL is sealed, and its endpoint has a fingerprint in the place of the password
-- (`endpoints.py`).
UPDATE topics_subscription
SET endpoint = mayfly_replace(endpoint, '^(https?://[^/?#@:]*:)[^/?#]*@', '\g<1>' || lower(hex(mayfly_fingerprint(endpoint, 'endpoint'))) || '@'),
    definition = json_set(definition,
        '$.endpoint', mayfly_replace(endpoint, '^(https?://[^/?#@:]*:)[^/?#]*@', '\g<1>' || lower(hex(mayfly_fingerprint(endpoint, 'endpoint'))) || '@'),
        '$.sealed_url', mayfly_base64(mayfly_seal(endpoint, 'endpoint of subscription ' || uuid)))
WHERE protocol IN ('http', 'https') AND mayfly_replace(endpoint, '^(https?://[^/?#@:]*:)[^/?#]*@', '') <> endpoint;

UPDATE topics_cancelled
SET definition = json_set(definition,
    '$.endpoint', mayfly_replace(json_extract(definition, '$.endpoint'), '^(https?://[^/?#@:]*:)[^/?#]*@',
        '\g<1>' || lower(hex(mayfly_fingerprint(json_extract(definition, '$.endpoint'), 'endpoint'))) || '@'),
    '$.sealed_url', mayfly_base64(mayfly_seal(json_extract(definition, '$.endpoint'), 'endpoint of subscription ' || uuid)))
WHERE mayfly_replace(json_extract(definition, '$.endpoint'), '^(https?://[^/?#@:]*:)[^/?#]*@', '') <> json_extract(definition, '$.endpoint');
