"""The durable ticker: what is due when, and exactly one run a tick. Below services, above the store."""
