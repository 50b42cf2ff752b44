"""Buses, rules and their targets, archives and replays, connections and API destinations: EventBridge on the wire."""
