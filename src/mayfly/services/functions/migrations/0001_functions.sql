-- One row a function. `document` is the whole aggregate (model.Function as JSON); the other columns repeat what
-- statements select by or add up.
CREATE TABLE functions_function (
    name                 TEXT PRIMARY KEY,
    code_sha256          TEXT NOT NULL,
    code_size            BIGINT NOT NULL,
    reserved_concurrency BIGINT,
    document             TEXT NOT NULL
);

CREATE INDEX functions_function_code ON functions_function (code_sha256);

-- From the id in a function URL's host name to its function.
CREATE TABLE functions_url (
    url_id        TEXT PRIMARY KEY,
    function_name TEXT NOT NULL UNIQUE
);
