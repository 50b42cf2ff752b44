-- Buckets, objects and multipart uploads. Keys compare by their UTF-8 bytes: a database whose default collation does
-- otherwise must be created with the "C" collation. Times are Unix seconds; S3 shows LastModified in whole ones.

CREATE TABLE objects_buckets (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    sequence BIGINT NOT NULL,    -- the sequencer of the last event; rises with every one
    notifications TEXT NOT NULL  -- JSON list of rules; read with the bucket because every write needs both
);

-- Documents that S3 keeps for a bucket: tagging, cors, ownership, public-access-block. JSON.
CREATE TABLE objects_bucket_settings (
    bucket TEXT NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
);

CREATE TABLE objects_objects (
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,         -- changes with every write of the key; the id of the upload for a multipart object
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,            -- without quotation marks
    modified_at BIGINT NOT NULL,
    digest TEXT NOT NULL,          -- the blob; '' for a multipart object, whose blobs are in objects_parts
    part_count INTEGER NOT NULL,   -- 0 unless made by a multipart upload
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    checksum_value TEXT NOT NULL,
    headers TEXT NOT NULL,         -- JSON: system metadata by member name
    metadata TEXT NOT NULL,        -- JSON: user metadata
    tags TEXT NOT NULL,            -- JSON: pairs in order
    PRIMARY KEY (bucket, key)
);

CREATE TABLE objects_uploads (
    id TEXT PRIMARY KEY,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    initiated_at BIGINT NOT NULL,
    initiator TEXT NOT NULL,       -- the ARN of who began it
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    metadata TEXT NOT NULL,
    tags TEXT NOT NULL
);

CREATE INDEX objects_uploads_by_key ON objects_uploads (bucket, key, id);

-- Parts of uploads, and of the objects that they became: the owner is the same id before and after completion.
CREATE TABLE objects_parts (
    owner TEXT NOT NULL,
    number INTEGER NOT NULL,
    link TEXT NOT NULL,            -- the owner under which the blob is linked
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    start BIGINT NOT NULL,         -- offset in the object; -1 until completion
    etag TEXT NOT NULL,
    checksum TEXT NOT NULL,        -- '' where there is none
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (owner, number)
);

CREATE INDEX objects_parts_by_start ON objects_parts (owner, start);

-- What no object refers to any more. Kept for a grace period, because readers that began go on reading.
CREATE TABLE objects_discards (
    owner TEXT PRIMARY KEY,        -- the owner of a blob's link, or of parts
    digest TEXT NOT NULL,          -- '' when it owns parts
    discarded_at DOUBLE PRECISION NOT NULL
);

CREATE INDEX objects_discards_by_time ON objects_discards (discarded_at);
