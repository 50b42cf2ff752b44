"""WebSocket APIs: connections that stay, messages in both directions."""
