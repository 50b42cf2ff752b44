-- Event source mappings. `source` is what is read: an ARN, or the servers of a cluster that has none. `target` is the
-- function's name; `duty` is what no two mappings may have in common.
CREATE TABLE mappings_mapping (
    uuid TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    duty TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL
);

CREATE INDEX mappings_mapping_of_source ON mappings_mapping (source, uuid);

CREATE INDEX mappings_mapping_of_target ON mappings_mapping (target, uuid);

-- How far a mapping has read one shard of a stream. `epoch` rises whenever somebody begins to read it, and only who
-- brings the current one may move on.
CREATE TABLE mappings_shard (
    mapping TEXT NOT NULL,
    shard TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (mapping, shard)
);
