"""How much of a function's memory an instance may use. Pure."""

from __future__ import annotations

# What is the runner's: buffers of an answer, and the interpreter's own.
RESERVED_MB = 32
SMALLEST_MB = 16


def instance_bytes(memory_mb: int, concurrency: int) -> int:
    """Each of several calls gets its part, so that none takes what another needs."""
    return max((memory_mb - RESERVED_MB) // concurrency, SMALLEST_MB) << 20
