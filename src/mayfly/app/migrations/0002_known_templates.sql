-- How templates with the packages of functions were made, so that they are made at the first start after a restart. A row
-- is a hint, never a truth: without it, what a function imports is learnt by its first start.
CREATE TABLE engine_templates (
    target TEXT PRIMARY KEY, -- one version's code and configuration; never used again when either changes
    recipe BLOB NOT NULL, -- MessagePack
    told_ms BIGINT NOT NULL -- when it was made, or used, last
);

CREATE INDEX engine_templates_by_time ON engine_templates (told_ms);
