"""SQL of topics, by what it is for."""

NEXT_ID = "UPDATE topics_ids SET last_id = last_id + 1 WHERE singleton = 1 RETURNING last_id"

# Topics.
FIND_TOPIC = """
SELECT topic_id, revision, definition FROM topics_topic
WHERE account = :account AND region = :region AND name = :name
"""
TOPIC_BY_ID = "SELECT topic_id, revision, definition FROM topics_topic WHERE topic_id = :topic_id"
INSERT_TOPIC = """
INSERT INTO topics_topic (topic_id, account, region, name, revision, definition)
VALUES (:topic_id, :account, :region, :name, 1, :definition)
"""
REPLACE_TOPIC = "UPDATE topics_topic SET definition = :definition, revision = revision + 1 WHERE topic_id = :topic_id"
TOUCH_TOPIC = "UPDATE topics_topic SET revision = revision + 1 WHERE topic_id = :topic_id"
DELETE_TOPIC = "DELETE FROM topics_topic WHERE topic_id = :topic_id"
LIST_TOPICS = """
SELECT topic_id, name FROM topics_topic
WHERE account = :account AND region = :region AND name > :after ORDER BY name LIMIT :limit
"""
FIFO_TOPICS = """
SELECT topic_id, revision, definition FROM topics_topic
WHERE topic_id > :after AND topic_id IN (SELECT topic_id FROM topics_sequence) ORDER BY topic_id LIMIT :limit
"""

# Subscriptions.
_SUBSCRIPTION = (
    "SELECT subscription_id, topic_id, uuid, protocol, endpoint, pending, definition FROM topics_subscription"
)
SUBSCRIPTION_BY_UUID = f"{_SUBSCRIPTION} WHERE uuid = :uuid"
SUBSCRIPTION_BY_ID = f"{_SUBSCRIPTION} WHERE subscription_id = :subscription_id"
SUBSCRIPTION_OF_ENDPOINT = (
    f"{_SUBSCRIPTION} WHERE topic_id = :topic_id AND protocol = :protocol AND endpoint = :endpoint"
)
SUBSCRIPTIONS_OF_TOPIC = f"""
{_SUBSCRIPTION} WHERE topic_id = :topic_id AND subscription_id > :after ORDER BY subscription_id LIMIT :limit
"""
SUBSCRIPTIONS_OF_ACCOUNT = f"""
{_SUBSCRIPTION} WHERE account = :account AND region = :region AND subscription_id > :after
ORDER BY subscription_id LIMIT :limit
"""
INSERT_SUBSCRIPTION = """
INSERT INTO topics_subscription
    (subscription_id, topic_id, account, region, uuid, protocol, endpoint, pending, pending_until, definition)
VALUES
    (:subscription_id, :topic_id, :account, :region, :uuid, :protocol, :endpoint, :pending, :pending_until, :definition)
"""
REPLACE_SUBSCRIPTION = """
UPDATE topics_subscription SET pending = :pending, pending_until = :pending_until, definition = :definition
WHERE subscription_id = :subscription_id
"""
DELETE_SUBSCRIPTION = "DELETE FROM topics_subscription WHERE subscription_id = :subscription_id"
DELETE_SUBSCRIPTIONS = "DELETE FROM topics_subscription WHERE topic_id = :topic_id"
COUNT_SUBSCRIPTIONS = "SELECT pending, count(*) FROM topics_subscription WHERE topic_id = :topic_id GROUP BY pending"
GIVE_UP_PENDING = """
DELETE FROM topics_subscription WHERE subscription_id IN (
    SELECT subscription_id FROM topics_subscription WHERE pending = 1 AND pending_until <= :now LIMIT :limit
)
"""

INSERT_CANCELLED = """
INSERT INTO topics_cancelled (uuid, until, definition) VALUES (:uuid, :until, :definition)
ON CONFLICT (uuid) DO UPDATE SET until = excluded.until, definition = excluded.definition
"""
FIND_CANCELLED = "SELECT definition FROM topics_cancelled WHERE uuid = :uuid AND until > :now"
DELETE_CANCELLED = "DELETE FROM topics_cancelled WHERE uuid = :uuid"
FORGET_CANCELLED = """
DELETE FROM topics_cancelled WHERE uuid IN (SELECT uuid FROM topics_cancelled WHERE until <= :now LIMIT :limit)
"""

# FIFO topics.
START_SEQUENCE = "INSERT INTO topics_sequence (topic_id, last) VALUES (:topic_id, 0)"
NEXT_SEQUENCE = "UPDATE topics_sequence SET last = last + 1 WHERE topic_id = :topic_id RETURNING last"
LAST_SEQUENCE = "SELECT last FROM topics_sequence WHERE topic_id = :topic_id"
DELETE_SEQUENCE = "DELETE FROM topics_sequence WHERE topic_id = :topic_id"
FIND_DUPLICATE = """
SELECT message_id, sequence FROM topics_deduplication
WHERE topic_id = :topic_id AND scope = :scope AND deduplication_id = :deduplication_id AND until > :now
"""
REMEMBER = """
INSERT INTO topics_deduplication (topic_id, scope, deduplication_id, message_id, sequence, until)
VALUES (:topic_id, :scope, :deduplication_id, :message_id, :sequence, :until)
ON CONFLICT (topic_id, scope, deduplication_id)
DO UPDATE SET message_id = excluded.message_id, sequence = excluded.sequence, until = excluded.until
"""
FORGET = """
DELETE FROM topics_deduplication WHERE (topic_id, scope, deduplication_id) IN (
    SELECT topic_id, scope, deduplication_id FROM topics_deduplication WHERE until <= :now LIMIT :limit
)
"""

# Archives.
ARCHIVE = """
INSERT INTO topics_archive (topic_id, sequence, published_at, message)
VALUES (:topic_id, :sequence, :published_at, :message)
"""
ARCHIVED = """
SELECT sequence, published_at, message FROM topics_archive
WHERE topic_id = :topic_id AND sequence > :after ORDER BY sequence LIMIT :limit
"""
ARCHIVED_SINCE = """
SELECT min(sequence) FROM topics_archive WHERE topic_id = :topic_id AND published_at >= :since
"""
OLDEST_ARCHIVED = "SELECT min(published_at) FROM topics_archive WHERE topic_id = :topic_id"
DROP_ARCHIVED = """
DELETE FROM topics_archive WHERE topic_id = :topic_id AND sequence IN (
    SELECT sequence FROM topics_archive WHERE topic_id = :topic_id AND published_at < :before LIMIT :limit
)
"""
LEAVE_ARCHIVE = "INSERT INTO topics_gone (topic_id) VALUES (:topic_id)"
LEFT_ARCHIVE = "SELECT topic_id FROM topics_gone LIMIT 1"
ARCHIVE_DROPPED = "DELETE FROM topics_gone WHERE topic_id = :topic_id"

# Deliveries to URLs.
ADD_WAITING = """
INSERT INTO topics_lane (subscription_id, waiting) VALUES (:subscription_id, 1)
ON CONFLICT (subscription_id) DO UPDATE SET waiting = topics_lane.waiting + 1
"""
TAKE_WAITING = "UPDATE topics_lane SET waiting = waiting - 1 WHERE subscription_id = :subscription_id"
DROP_LANE = "DELETE FROM topics_lane WHERE subscription_id = :subscription_id AND waiting <= 0"
WAITING = "SELECT waiting FROM topics_lane WHERE subscription_id = :subscription_id"
LANES = "SELECT subscription_id FROM topics_lane WHERE subscription_id > :after ORDER BY subscription_id LIMIT :limit"

# The signer.
FIND_SIGNER = "SELECT sealed_key, certificate FROM topics_signer WHERE singleton = 1"
PUT_SIGNER = """
INSERT INTO topics_signer (singleton, sealed_key, certificate) VALUES (1, :sealed_key, :certificate)
ON CONFLICT (singleton) DO UPDATE SET sealed_key = excluded.sealed_key, certificate = excluded.certificate
"""
