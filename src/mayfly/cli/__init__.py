"""The command line. It knows services only over the wire, as any other client does.

A command lives in the module of its subject; `root` has the table of all of them. `connection` finds the server and
its keys, `output` decides how things are printed.
"""
