"""Integrations: what stands behind the routes and methods of APIs of every kind."""
