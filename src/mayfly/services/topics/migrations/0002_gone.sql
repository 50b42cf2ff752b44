-- FIFO topics that were deleted, and whose archived messages have not all been removed yet.
CREATE TABLE topics_gone (topic_id BIGINT PRIMARY KEY);
