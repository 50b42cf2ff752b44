"""Code signing: configurations that say whose code may be deployed to functions, and what they refuse."""
