-- Which kind of API has an id, and which APIs a domain name leads to. What an API is, each kind keeps itself.

CREATE TABLE apis_directory (
    api_id TEXT PRIMARY KEY,
    kind TEXT NOT NULL              -- "http", "rest", "websocket"
);
