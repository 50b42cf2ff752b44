"""REST APIs as OpenAPI documents: read and written."""
