"""Sandboxes under an OCI runtime: the levels `container` and `gvisor`, and those of configured runtimes."""
