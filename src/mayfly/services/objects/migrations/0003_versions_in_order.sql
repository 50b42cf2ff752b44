-- Versions are listed by key and newest first. Without this a key with many versions is sorted anew for every page.
CREATE INDEX objects_history_in_order ON objects_history (bucket, key, position DESC);
