-- The digest of the image that has to be made ready before the function, or its next code, can run; NULL: there is none.
ALTER TABLE functions_function ADD COLUMN awaits TEXT;

CREATE INDEX functions_function_awaits ON functions_function (awaits);
