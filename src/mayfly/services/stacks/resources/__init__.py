"""Resource types: one module each, gathered in `registry`."""
