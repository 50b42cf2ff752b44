"""Streams: records in shards, in order, kept for a while. Below the services that show them to clients."""
