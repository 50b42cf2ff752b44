-- The bytes of small blobs that were put together with the row that needs them: one commit instead of a file, its
-- directory and two commits. Apart from the rows of blobs, which change with every owner that comes or goes.
CREATE TABLE blob_bytes (
    digest TEXT PRIMARY KEY,
    bytes BLOB NOT NULL
);
