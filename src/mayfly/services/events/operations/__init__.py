"""Handlers of operations, grouped by resource."""
