-- What a FIFO queue remembers of deduplication ids goes with its content: a purge, which gives it a fresh store number,
-- forgets them all at once. Those remembered under the queue's number are kept by none, and expire.
ALTER TABLE queues_duplicate RENAME COLUMN queue_no TO store;
