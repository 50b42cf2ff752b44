"""Layers: zips that several functions share, published in versions, and shown to instances below `/opt`."""
