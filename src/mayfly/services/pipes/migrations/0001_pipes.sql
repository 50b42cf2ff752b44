CREATE TABLE pipes_pipe (
    name TEXT PRIMARY KEY,
    desired TEXT NOT NULL,
    state TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    definition BLOB NOT NULL
);
