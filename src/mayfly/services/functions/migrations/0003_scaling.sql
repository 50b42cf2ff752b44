-- How many instances of a version are kept ready by its scaling configuration; NULL: it asks for none.
ALTER TABLE functions_version ADD COLUMN least BIGINT;
