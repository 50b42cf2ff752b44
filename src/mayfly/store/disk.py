"""What the parts of the store that write files have in common: failures as the platform's own, and durable names."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from mayfly.store.api import StorageFailedError, StorageFullError


@contextlib.contextmanager
def storage_errors(what: Path) -> Iterator[None]:
    """Failures of the disk as the platform's own."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise (StorageFullError if full else StorageFailedError)(f"{what}: {error}") from error


def sync_directory(path: Path) -> None:
    """Make names made or changed in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
