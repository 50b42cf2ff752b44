"""Requests that the platform itself sends to the outside."""
