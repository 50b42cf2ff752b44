"""A module that cannot be loaded."""

raise RuntimeError("this module does not load")
