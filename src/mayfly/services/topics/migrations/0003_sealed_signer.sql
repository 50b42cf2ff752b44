-- The key that messages are signed with is sealed.
ALTER TABLE topics_signer ADD COLUMN sealed_key BLOB NOT NULL DEFAULT '';
UPDATE topics_signer SET sealed_key = mayfly_seal(private_key, 'key of the signer of topics');
ALTER TABLE topics_signer DROP COLUMN private_key;
