-- One row a code signing configuration; `document` is signing.model.SigningConfig as JSON.
CREATE TABLE functions_signing_config (
    id       TEXT PRIMARY KEY,
    document TEXT NOT NULL
);

-- Which configuration deployments to a function must meet.
CREATE TABLE functions_signing_use (
    function_name TEXT PRIMARY KEY,
    config_id     TEXT NOT NULL
);
CREATE INDEX functions_signing_use_config ON functions_signing_use (config_id, function_name);
