"""Handlers of functions' operations, grouped by resource: check, call the domain, shape the reply."""
