-- A series is what one metric, with its dimensions, measured in one unit.
CREATE TABLE metrics_series (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    dimensions TEXT NOT NULL,
    unit TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    UNIQUE (namespace, name, dimensions, unit)
);

-- What was measured in the `span_s` seconds from `at` on: sums that can be added up, and a sketch for percentiles
-- (MessagePack, bucket to count). Spans are 1, 60, 300 or 3600 s: old points are joined into longer ones.
CREATE TABLE metrics_points (
    series BIGINT NOT NULL,
    at BIGINT NOT NULL,
    span_s INTEGER NOT NULL,
    samples DOUBLE PRECISION NOT NULL,
    total DOUBLE PRECISION NOT NULL,
    minimum DOUBLE PRECISION NOT NULL,
    maximum DOUBLE PRECISION NOT NULL,
    sketch BLOB,
    PRIMARY KEY (series, at, span_s)
);

CREATE INDEX metrics_points_by_age ON metrics_points (span_s, at);

CREATE TABLE metrics_alarms (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    revision BIGINT NOT NULL,
    every_s INTEGER,
    state TEXT NOT NULL,
    content BLOB NOT NULL
);

-- How often an alarm is looked at; NULL for composite ones, which are looked at when what they look at changes.
CREATE INDEX metrics_alarms_by_interval ON metrics_alarms (every_s, name);

-- Which alarms a composite alarm looks at.
CREATE TABLE metrics_alarm_children (
    parent TEXT NOT NULL,
    child TEXT NOT NULL,
    PRIMARY KEY (parent, child)
);

CREATE INDEX metrics_alarm_parents ON metrics_alarm_children (child);

CREATE TABLE metrics_alarm_history (
    id INTEGER PRIMARY KEY,
    alarm TEXT NOT NULL,
    kind TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    item TEXT NOT NULL,
    summary TEXT NOT NULL,
    data TEXT NOT NULL
);

CREATE INDEX metrics_alarm_history_of ON metrics_alarm_history (alarm, id);
CREATE INDEX metrics_alarm_history_by_age ON metrics_alarm_history (at);

-- How far the platform's own sources of metrics were read.
CREATE TABLE metrics_sources (
    name TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);
