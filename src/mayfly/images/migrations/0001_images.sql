-- One row an image whose layers are kept; `document` is records.Image as JSON.
CREATE TABLE images_image (
    digest   TEXT PRIMARY KEY,      -- of its manifest, hexadecimal
    document TEXT NOT NULL
);

-- The platform's own names: mayfly.local/<name>:<tag>.
CREATE TABLE images_tag (
    name       TEXT NOT NULL,
    tag        TEXT NOT NULL,
    digest     TEXT NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (name, tag)
);

CREATE INDEX images_tag_digest ON images_tag (digest);
