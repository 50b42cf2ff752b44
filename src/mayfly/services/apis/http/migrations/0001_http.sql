-- APIs of version 2. Documents hold what the service's model calls the members of a resource.
CREATE TABLE apis_http_api (
    api_id TEXT PRIMARY KEY,
    protocol TEXT NOT NULL,
    document BLOB NOT NULL
);

-- What an API consists of: routes, integrations, stages, ... `parent` is the route or integration of what belongs to
-- one, else empty.
CREATE TABLE apis_http_part (
    api_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent TEXT NOT NULL,
    part_id TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (api_id, kind, parent, part_id)
);

-- An API as it was when it was deployed. Deployments that follow every change have none: the API itself is theirs.
CREATE TABLE apis_http_snapshot (
    api_id TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (api_id, deployment_id)
);
