"""The SQL of what all kinds of APIs share."""

from typing import Final

DIRECTORY_ALL: Final = "SELECT api_id, kind FROM apis_directory"
DIRECTORY_INSERT: Final = (
    "INSERT INTO apis_directory (api_id, kind) VALUES (:api_id, :kind) ON CONFLICT (api_id) DO NOTHING"
)
DIRECTORY_DELETE: Final = "DELETE FROM apis_directory WHERE api_id = :api_id"
