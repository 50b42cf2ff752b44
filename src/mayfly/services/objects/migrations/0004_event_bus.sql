-- Whether the default event bus hears of what happens in a bucket.
ALTER TABLE objects_buckets ADD COLUMN event_bus INTEGER NOT NULL DEFAULT 0;
