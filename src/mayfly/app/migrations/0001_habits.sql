-- What the engine learnt of when each function is called, so that it knows it after a restart. A row is a hint, never a
-- truth: without it the function is learnt anew.
CREATE TABLE engine_habits (
    function TEXT PRIMARY KEY,
    shape TEXT NOT NULL, -- of the rule whose state it is; a state of another shape cannot be read
    learnt BLOB NOT NULL, -- MessagePack: what it knows of the function, and its state
    idle_since_ms BIGINT, -- when its last call had ended; null if that was not known
    told_ms BIGINT NOT NULL
);

CREATE INDEX engine_habits_by_time ON engine_habits (told_ms);
