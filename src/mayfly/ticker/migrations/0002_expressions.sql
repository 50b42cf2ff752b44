-- What recurs by an expression alone, in UTC: rules of event buses. `anchor` is where a rate counts from.
CREATE TABLE ticker_expressions (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    expression TEXT NOT NULL,
    anchor DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (kind, key)
);
