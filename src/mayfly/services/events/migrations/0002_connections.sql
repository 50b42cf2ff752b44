-- Connections and API destinations: how rules reach HTTP endpoints. `secret` is sealed by the vault for the connection's ARN.

CREATE TABLE events_connections (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    document BLOB NOT NULL,
    secret BLOB NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE INDEX events_connections_by_state ON events_connections (state);

CREATE TABLE events_destinations (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    connection TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (account, region, name)
);
