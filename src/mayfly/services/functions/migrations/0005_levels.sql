-- The weakest level of isolation that an account's functions may run at.
CREATE TABLE functions_required_level (
    account TEXT NOT NULL PRIMARY KEY,
    level TEXT NOT NULL
);
