"""What this machine runs natively."""

import platform

from mayfly.services.functions.model import Architecture


def host_architecture() -> Architecture:
    """In AWS's words."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
