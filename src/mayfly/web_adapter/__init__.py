"""From calls to HTTP requests of a web server inside a sandbox, and back. Knows neither functions nor instances."""
