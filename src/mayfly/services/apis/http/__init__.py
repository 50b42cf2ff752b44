"""APIs of version 2: HTTP APIs, and what WebSocket APIs share with them."""
