-- Names under which APIs are reached. The document holds the members that the operations show.
CREATE TABLE apis_domain (
    name TEXT PRIMARY KEY,
    document BLOB NOT NULL
);

-- Which stage of which API answers below which path of a name; an empty path is all that no other mapping has.
CREATE TABLE apis_domain_mapping (
    domain TEXT NOT NULL,
    mapping_id TEXT NOT NULL,
    path TEXT NOT NULL,
    api_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    PRIMARY KEY (domain, mapping_id),
    UNIQUE (domain, path)
);
