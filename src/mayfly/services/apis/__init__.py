"""APIs: HTTP APIs, REST APIs, WebSocket APIs."""

# The packages with migrations.
MIGRATED = (
    "mayfly.services.apis",
    "mayfly.services.apis.domains",
    "mayfly.services.apis.http",
    "mayfly.services.apis.rest",
)
