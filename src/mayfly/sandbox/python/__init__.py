"""The managed Python runtime: what runs inside a sandbox. Standard library only, CPython 3.9 and later."""
