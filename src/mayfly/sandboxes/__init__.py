"""Sandboxes by themselves: isolated processes from a directory of code, an image or a snapshot, without a function."""
