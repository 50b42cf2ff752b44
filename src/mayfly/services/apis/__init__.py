"""APIs: HTTP APIs, REST APIs, WebSocket APIs."""
