"""The privileged side of a sandbox: the agent process, the templates it starts, and the isolation of an instance.

Nothing here is imported by the server, except `channel` (how the two talk). Everything here uses the standard library
only and runs on CPython 3.9 and later, because a template runs on the interpreter of its functions.
"""
