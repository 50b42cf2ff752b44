"""Reads images out of OCI layouts: directories with an `index.json` and blobs named by their digests.

A layout is hostile: names are checked before they become paths, links are not followed, sizes are bounded, and what is
small is hashed at once. Layers are only located; whoever reads them compares. Blocking: for threads.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from mayfly.images import manifest
from mayfly.images.errors import BrokenImageError, ImageNotFoundError, ImageTooLargeError, UnsupportedImageError
from mayfly.images.manifest import Configuration, Descriptor, Index, Manifest


@dataclass(frozen=True, slots=True)
class Located:
    """An image in a layout."""

    digest: str  # of its manifest, hexadecimal
    manifest: Manifest
    configuration: Configuration


class Layout:
    """The layout at `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, tag: str | None, architecture: str) -> Located:
        """The image under `tag`, None for the only one, as machines of `architecture` run it; `ImageError`."""
        try:
            listed = manifest.read_manifest(self._read("index.json", manifest.MAX_MANIFEST))
        except FileNotFoundError:
            raise ImageNotFoundError(f"{self._root} is no OCI layout: it has no index.json") from None
        if not isinstance(listed, Index):
            raise BrokenImageError("index.json lists no images")
        chosen = manifest.tagged(listed, tag)
        found = manifest.read_manifest(self._blob(chosen, manifest.MAX_MANIFEST))
        if isinstance(found, Index):
            chosen = manifest.choose(found, architecture)
            found = manifest.read_manifest(self._blob(chosen, manifest.MAX_MANIFEST))
        if isinstance(found, Index):
            raise UnsupportedImageError("its index lists another index")
        data = self._blob(found.config, manifest.MAX_CONFIG)
        return Located(chosen.hex, found, manifest.read_configuration(data, found, architecture))

    def open(self, digest: str) -> int:
        """A descriptor of the blob of that (hexadecimal) digest; `BrokenImageError` when there is no such file."""
        try:
            return self._open(f"blobs/sha256/{digest}")
        except FileNotFoundError:
            raise BrokenImageError(f"sha256:{digest} is missing") from None

    def _blob(self, descriptor: Descriptor, most: int) -> bytes:
        try:
            data = self._read(f"blobs/sha256/{descriptor.hex}", most)
        except FileNotFoundError:
            raise BrokenImageError(f"{descriptor.digest} is missing") from None
        if hashlib.sha256(data).hexdigest() != descriptor.hex:
            raise BrokenImageError(f"{descriptor.digest} has another content than its digest says")
        return data

    def _read(self, path: str, most: int) -> bytes:
        with open(self._open(path), "rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise ImageTooLargeError(f"{path} has more than {most} bytes")
        return data

    def _open(self, path: str) -> int:
        """A regular file below the root, reached through no link."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        parts = path.split("/")
        try:
            for part in parts[:-1]:
                deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = deeper
            file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BrokenImageError(f"{path} is no plain file: {error.strerror}") from error
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise BrokenImageError(f"{path} is no plain file")
        return file
