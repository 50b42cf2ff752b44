"""Custom domain names, which HTTP, REST and WebSocket APIs share."""
