"""Registries of images: what tools for AWS ask about them."""
