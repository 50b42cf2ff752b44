"""The SQL of custom domain names."""

from typing import Final

FIND: Final = "SELECT document FROM apis_domain WHERE name = :name"
PUT: Final = """
INSERT INTO apis_domain (name, document) VALUES (:name, :document)
ON CONFLICT (name) DO UPDATE SET document = excluded.document
"""
LIST: Final = "SELECT document FROM apis_domain WHERE name > :after ORDER BY name LIMIT :limit"
COUNT: Final = "SELECT count(*) FROM apis_domain"
DELETE: Final = "DELETE FROM apis_domain WHERE name = :name"

MAPPINGS: Final = """
SELECT mapping_id, path, api_id, stage FROM apis_domain_mapping WHERE domain = :domain ORDER BY path
"""
ALL_MAPPINGS: Final = "SELECT domain, mapping_id, path, api_id, stage FROM apis_domain_mapping"
PUT_MAPPING: Final = """
INSERT INTO apis_domain_mapping (domain, mapping_id, path, api_id, stage)
VALUES (:domain, :mapping_id, :path, :api_id, :stage)
ON CONFLICT (domain, mapping_id) DO UPDATE
SET path = excluded.path, api_id = excluded.api_id, stage = excluded.stage
"""
DELETE_MAPPING: Final = "DELETE FROM apis_domain_mapping WHERE domain = :domain AND mapping_id = :mapping_id"
DELETE_MAPPINGS: Final = "DELETE FROM apis_domain_mapping WHERE domain = :domain"
