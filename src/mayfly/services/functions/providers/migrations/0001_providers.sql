-- Capacity providers, as JSON documents by name.
CREATE TABLE functions_capacity_provider (
    name TEXT PRIMARY KEY,
    definition TEXT NOT NULL
);
