"""Mayfly: a serverless platform that one person can run. `docs/design.md` is the map."""

__version__ = "0.1.0"
