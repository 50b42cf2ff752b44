-- Parameters and secrets. `scope` is "account/region"; what is shown of a thing is one JSON document, its versions
-- included, so that stages and labels change with it; values are rows of their own, sealed where they are secret.
CREATE TABLE configs_parameter (
    scope TEXT NOT NULL,
    path TEXT NOT NULL, -- the name with a slash before it, whether it was given with one or without
    definition TEXT NOT NULL,
    PRIMARY KEY (scope, path)
);

CREATE TABLE configs_parameter_value (
    scope TEXT NOT NULL,
    path TEXT NOT NULL,
    version BIGINT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (scope, path, version)
);

CREATE TABLE configs_secret (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (scope, name)
);

CREATE TABLE configs_secret_value (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (scope, name, version)
);
