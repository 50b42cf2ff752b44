"""Deployment packages: checking a zip, unpacking it once, keeping it, and handing it out again."""
