-- What waits in the ready queue, and what was given up, is sealed (`queue.py`): it is whatever callers put into events. Pages
-- that were given up earlier hold some of it, too.
VACUUM;

UPDATE queue_items SET payload = mayfly_seal(payload, 'item ' || id || ' of the ready queue') WHERE payload IS NOT NULL;
UPDATE queue_payloads SET payload = mayfly_seal(payload, 'item ' || id || ' of the ready queue');
UPDATE queue_dead_items SET payload = mayfly_seal(payload, 'item ' || id || ' of the ready queue');
