-- Snapshots of sandboxes; `document` is model.Snapshot as JSON. The blob's owner is the row.
CREATE TABLE sandboxes_snapshot (
    id         TEXT PRIMARY KEY,
    created_at DOUBLE PRECISION NOT NULL,
    document   TEXT NOT NULL
);
