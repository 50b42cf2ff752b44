-- What its maker calls a configuration, so that making it again gives it back; NULL: nobody said.
ALTER TABLE functions_signing_config ADD COLUMN token TEXT;
CREATE INDEX functions_signing_config_token ON functions_signing_config (token) WHERE token IS NOT NULL;
