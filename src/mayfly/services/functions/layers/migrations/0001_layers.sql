-- One row a published version of a layer. `document` is the whole of it (layers.model.LayerVersion as JSON); the other
-- columns repeat what statements select by or add up. `runtimes` and `architectures` are words, each between blanks.
CREATE TABLE functions_layer_version (
    name          TEXT NOT NULL,
    number        BIGINT NOT NULL,
    content_size  BIGINT NOT NULL,
    runtimes      TEXT NOT NULL,
    architectures TEXT NOT NULL,
    document      TEXT NOT NULL,
    PRIMARY KEY (name, number)
);

-- The highest number that versions of a layer were ever given: numbers are not reused.
CREATE TABLE functions_layer_number (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

-- Which contents functions ('') and their versions have in use, whatever has become of the layers that brought them, and
-- the tree that each puts them together to.
CREATE TABLE functions_layer_use (
    function_name TEXT NOT NULL,
    version       TEXT NOT NULL,
    content       TEXT NOT NULL,
    tree          TEXT NOT NULL,
    PRIMARY KEY (function_name, version, content)
);
