"""The composition root, and what the command line may know of a platform besides the wire.

`server` runs a platform in a process, `platform` builds it, `directory` is where its state lives, `local` is what the
command line reads there by itself. Imports are left to whoever needs a module: most commands need no server in memory.
"""
