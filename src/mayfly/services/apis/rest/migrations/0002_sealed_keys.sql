-- Values of API keys are sealed, and found by their fingerprints.
CREATE TABLE rest_api_key_sealed (
    id TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL UNIQUE,
    sealed_value BLOB NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    definition TEXT NOT NULL
);
INSERT INTO rest_api_key_sealed (id, fingerprint, sealed_value, created_at, definition)
SELECT id, mayfly_fingerprint(value, 'API key'), mayfly_seal(value, 'value of API key ' || id), created_at,
    json_remove(definition, '$.value')
FROM rest_api_key;
DROP TABLE rest_api_key;
ALTER TABLE rest_api_key_sealed RENAME TO rest_api_key;
