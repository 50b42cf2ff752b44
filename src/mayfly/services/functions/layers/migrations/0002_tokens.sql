-- What its publisher calls a version, so that publishing it again gives it back; NULL: nobody said.
ALTER TABLE functions_layer_version ADD COLUMN token TEXT;
CREATE INDEX functions_layer_version_token ON functions_layer_version (token) WHERE token IS NOT NULL;
