-- One row a published version. `document` is the whole of it (model.Version as JSON); the other columns repeat what
-- statements select by or add up.
CREATE TABLE functions_version (
    function_name TEXT NOT NULL,
    number        BIGINT NOT NULL,
    code_sha256   TEXT NOT NULL,
    code_size     BIGINT NOT NULL,
    state         TEXT NOT NULL,
    provisioned   BIGINT,                -- instances asked for; NULL: none
    has_settings  BIGINT NOT NULL,       -- of asynchronous invocation: 0 or 1
    document      TEXT NOT NULL,
    PRIMARY KEY (function_name, number)
);

CREATE INDEX functions_version_code ON functions_version (code_sha256);

CREATE INDEX functions_version_state ON functions_version (state);

-- The highest number that versions of a name were ever given. It stays when the function goes: numbers are not reused.
CREATE TABLE functions_version_number (
    function_name TEXT PRIMARY KEY,
    last          BIGINT NOT NULL
);

-- One row an alias; `document` is model.Alias as JSON.
CREATE TABLE functions_alias (
    function_name TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       TEXT NOT NULL,
    second        TEXT,                  -- the version that gets part of the calls; NULL: none
    provisioned   BIGINT,
    has_settings  BIGINT NOT NULL,
    document      TEXT NOT NULL,
    PRIMARY KEY (function_name, name)
);

-- A URL belongs to a function or to one of its aliases ('': the function itself).
CREATE TABLE functions_url_of (
    url_id        TEXT PRIMARY KEY,
    function_name TEXT NOT NULL,
    alias         TEXT NOT NULL,
    UNIQUE (function_name, alias)
);

INSERT INTO functions_url_of (url_id, function_name, alias) SELECT url_id, function_name, '' FROM functions_url;

DROP TABLE functions_url;

ALTER TABLE functions_url_of RENAME TO functions_url;
