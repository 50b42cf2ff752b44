-- Scalable targets, their policies and scheduled actions, as JSON documents; `place` is "namespace|resource|dimension".
CREATE TABLE autoscaling_target (
    place TEXT PRIMARY KEY,
    definition TEXT NOT NULL
);

CREATE TABLE autoscaling_policy (
    place TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (place, name)
);

CREATE TABLE autoscaling_action (
    place TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (place, name)
);

-- What was done, for six weeks.
CREATE TABLE autoscaling_activity (
    id TEXT PRIMARY KEY,
    place TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    definition TEXT NOT NULL
);

CREATE INDEX autoscaling_activity_by_time ON autoscaling_activity (started_at);
