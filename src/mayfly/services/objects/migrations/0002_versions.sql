-- Versioning. objects_objects holds what a key shows: the newest version, unless that is a delete marker. Everything
-- older, and every delete marker, is in objects_history; moving a version from one table to the other changes nothing
-- about it.
ALTER TABLE objects_buckets ADD COLUMN versioning TEXT NOT NULL DEFAULT '';   -- '', 'Enabled' or 'Suspended'

-- S3's name for the version; 'null' when it was written while versioning was not enabled. (objects_objects.version is
-- the owner of the bytes, which nobody outside sees.)
ALTER TABLE objects_objects ADD COLUMN version_id TEXT NOT NULL DEFAULT 'null';

-- Orders the versions of a key, newest highest.
ALTER TABLE objects_objects ADD COLUMN position BIGINT NOT NULL DEFAULT 0;

CREATE TABLE objects_history (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    position BIGINT NOT NULL,
    version_id TEXT NOT NULL,
    marker INTEGER NOT NULL,       -- 1 for a delete marker, whose columns from version on are empty
    modified_at BIGINT NOT NULL,
    version TEXT NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    digest TEXT NOT NULL,
    part_count INTEGER NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    checksum_value TEXT NOT NULL,
    headers TEXT NOT NULL,
    metadata TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (bucket, key, position)
);

CREATE UNIQUE INDEX objects_history_by_id ON objects_history (bucket, key, version_id);
