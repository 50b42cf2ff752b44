"""Every SQL statement of APIs of version 2. Portable: SQLite and PostgreSQL run the same text."""

FIND_API = "SELECT protocol, document FROM apis_http_api WHERE api_id = :api_id"
PUT_API = """
INSERT INTO apis_http_api (api_id, protocol, document) VALUES (:api_id, :protocol, :document)
ON CONFLICT (api_id) DO UPDATE SET document = excluded.document
"""
LIST_APIS = """
SELECT api_id, protocol, document FROM apis_http_api WHERE api_id > :after ORDER BY api_id LIMIT :limit
"""
COUNT_APIS = "SELECT count(*) FROM apis_http_api"
DELETE_API = "DELETE FROM apis_http_api WHERE api_id = :api_id"
DELETE_API_PARTS = "DELETE FROM apis_http_part WHERE api_id = :api_id"
DELETE_API_SNAPSHOTS = "DELETE FROM apis_http_snapshot WHERE api_id = :api_id"

FIND_PART = """
SELECT document FROM apis_http_part
WHERE api_id = :api_id AND kind = :kind AND parent = :parent AND part_id = :part_id
"""
PUT_PART = """
INSERT INTO apis_http_part (api_id, kind, parent, part_id, document)
VALUES (:api_id, :kind, :parent, :part_id, :document)
ON CONFLICT (api_id, kind, parent, part_id) DO UPDATE SET document = excluded.document
"""
LIST_PARTS = """
SELECT part_id, document FROM apis_http_part
WHERE api_id = :api_id AND kind = :kind AND parent = :parent AND part_id > :after ORDER BY part_id LIMIT :limit
"""
COUNT_PARTS = "SELECT count(*) FROM apis_http_part WHERE api_id = :api_id AND kind = :kind AND parent = :parent"
# All of an API; what it may have of each kind is bounded.
ALL_PARTS = "SELECT kind, parent, part_id, document FROM apis_http_part WHERE api_id = :api_id AND kind <> 'deployment'"
DELETE_PART = """
DELETE FROM apis_http_part
WHERE api_id = :api_id AND kind = :kind AND parent = :parent AND part_id = :part_id
"""
DELETE_CHILDREN = "DELETE FROM apis_http_part WHERE api_id = :api_id AND kind = :kind AND parent = :parent"

FIND_SNAPSHOT = "SELECT content FROM apis_http_snapshot WHERE api_id = :api_id AND deployment_id = :deployment_id"
PUT_SNAPSHOT = """
INSERT INTO apis_http_snapshot (api_id, deployment_id, content) VALUES (:api_id, :deployment_id, :content)
ON CONFLICT (api_id, deployment_id) DO UPDATE SET content = excluded.content
"""
DELETE_SNAPSHOT = "DELETE FROM apis_http_snapshot WHERE api_id = :api_id AND deployment_id = :deployment_id"
