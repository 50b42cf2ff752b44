-- One row for everything that recurs or is still to happen once: the next moment it runs at. `at` is the moment that the
-- tick stands for, `due_at` when it is to be acted upon: later within a flexible window, or after something went wrong.
CREATE TABLE ticker_ticks (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    due_at DOUBLE PRECISION NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE INDEX ticker_ticks_in_order ON ticker_ticks (kind, due_at);
