"""Fetches images through skopeo, as found on the machine: from registries, and out of archives.

skopeo runs as an unprivileged user in a directory of its own, and what it leaves there is an OCI layout that nobody
believes: `layout` reads it.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mayfly.images import children
from mayfly.images.errors import (
    BrokenImageError,
    ImageDeniedError,
    ImageError,
    ImageNotFoundError,
    ImagesUnavailableError,
    ImageTooLargeError,
    UnsupportedImageError,
)
from mayfly.images.inside.layer import RESERVE
from mayfly.images.manifest import MAX_MANIFEST
from mayfly.images.reference import Reference
from mayfly.settings import ImageSettings

LAYOUT, NAME = "layout", "image"
_INSPECT_S = 40.0
_LOOK_EVERY_S = 0.25
_COPIES = 3  # of an image that may lie in the directory at a time: the archive, what was in it, the layout
_TOOLS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLICY = "/etc/containers/policy.json"  # whose signatures the operator wants; without it skopeo would not start
_MISSING = re.compile(r"manifest unknown|name unknown|not found|StatusCode: 404|no such image|NAME_UNKNOWN")
_DENIED = re.compile(
    r"unauthorized|authentication required|requested access|access denied|forbidden|StatusCode: 40[13]|invalid user",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"server gave HTTP response to HTTPS client")
_BROKEN = re.compile(r"[Dd]igest did not match|unexpected EOF|invalid checksum|does not match|invalid tar header|gzip:")
_UNSUPPORTED = re.compile(r"[Uu]nsupported|unknown.*MIME type|schema1|schema 1|unimplemented")
_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


class Registry:
    """skopeo, with what the operator set."""

    def __init__(self, settings: ImageSettings) -> None:
        self._settings = settings

    async def manifest(self, reference: Reference, work: Path) -> bytes:
        """The manifest of a registry's image; `ImageError`, `ImagesUnavailableError`."""
        ended = await self._run(
            ["inspect", "--raw", *self._access("", reference, work), f"docker://{_docker(reference)}"],
            work,
            _INSPECT_S,
            MAX_MANIFEST,
        )
        _check(ended, reference)
        return ended.output

    async def copy(self, reference: Reference, source: str, work: Path, architecture: str) -> Path:
        """Bring an image into a new layout below `work`; `source` is how skopeo names it. Where it is; as `manifest`.

        Layers for which `work` holds a file already are not fetched.
        """
        arguments = [
            *(
                "--override-os",
                "linux",
                "--override-arch",
                architecture,
                "copy",
                "--dest-oci-accept-uncompressed-layers",
            ),
            *(self._access("src-", reference, work) if reference.kind == "registry" else ()),
            *(source, f"oci:{LAYOUT}:{NAME}"),
        ]
        _check(await self._run(arguments, work, self._settings.fetch_timeout_s, 1 << 16), reference)
        return work / LAYOUT

    async def fetch(self, reference: Reference, work: Path, architecture: str) -> Path:
        """`copy` from a registry."""
        return await self.copy(reference, f"docker://{_docker(reference)}", work, architecture)

    def _access(self, side: str, reference: Reference, work: Path) -> list[str]:
        options = []
        if reference.host in self._settings.insecure_registries:
            options.append(f"--{side}tls-verify=false")
        if self._settings.auth_file is not None:
            kept = work / "auth.json"
            try:
                shutil.copyfile(self._settings.auth_file, kept)
            except OSError as error:
                raise ImagesUnavailableError(f"{self._settings.auth_file} cannot be read: {error.strerror}") from error
            kept.chmod(0o600)
            if os.geteuid() == 0:
                owner = work.stat()
                os.chown(kept, owner.st_uid, owner.st_gid)
            options.append(f"--{'src-' if side else ''}authfile={kept.name}")
        return options

    async def _run(self, arguments: Sequence[str], work: Path, timeout_s: float, most: int) -> children.Ended:
        program = shutil.which("skopeo", path=_TOOLS)
        if program is None:
            raise ImagesUnavailableError(
                "skopeo is not installed, and fetches and reads images; on Debian: apt-get install skopeo"
            )
        policy = [] if os.access(_POLICY, os.R_OK) else ["--insecure-policy"]
        return await children.run(
            "fetch",
            [children.owner(work), self._settings.uncompressed_bytes, program, *policy, *arguments],
            work,
            {"PATH": _TOOLS},
            None,
            timeout_s,
            most,
            lambda: self._watch(work),
        )

    async def _watch(self, work: Path) -> None:
        """Raise when skopeo, which unpacks archives and what is compressed in them, takes more than there may be."""
        most = self._settings.uncompressed_bytes * _COPIES
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            used, free = await asyncio.to_thread(_room, work)
            if used > most:
                raise ImageTooLargeError(f"fetching it took more than {most} bytes of the disk")
            if free < RESERVE:
                raise ImagesUnavailableError("the disk is nearly full; make room in the data directory")


def _room(work: Path) -> tuple[int, int]:
    """Bytes of the disk that `work` uses, and that are free."""
    used = 0
    for directory, _, names in os.walk(work):
        for name in names:
            with suppress(FileNotFoundError):
                used += os.lstat(os.path.join(directory, name)).st_blocks * 512
    free = os.statvfs(work)
    return used, free.f_bavail * free.f_frsize


def _docker(reference: Reference) -> str:
    """As skopeo wants it: by digest where there is one."""
    return f"{reference.place}@{reference.digest}" if reference.digest else f"{reference.place}:{reference.tag}"


def _check(ended: children.Ended, reference: Reference) -> None:
    """The error that skopeo's words mean."""
    if ended.status == 0:
        return
    text = ended.errors.decode(errors="replace")
    found = _MESSAGE.findall(text)
    said = (found[-1].replace('\\"', '"') if found else text.strip() or f"status {ended.status}")[-600:]
    raise _meaning(said, reference)


def _meaning(said: str, reference: Reference) -> ImageError | ImagesUnavailableError:
    if _PLAIN.search(said):
        return ImagesUnavailableError(
            f"{reference.host} speaks plain HTTP; start Mayfly with --insecure-registry {reference.host} to allow that"
        )
    if "no space left" in said or "file too large" in said:
        return ImagesUnavailableError(f"{reference} does not fit on the disk, or into the limit for images")
    if _BROKEN.search(said):
        return BrokenImageError(f"{reference} is damaged: {said}")
    if _UNSUPPORTED.search(said):
        return UnsupportedImageError(f"{reference} is of a kind that cannot be run: {said}")
    if _MISSING.search(said):
        return ImageNotFoundError(f"{reference} does not exist: {said}")
    if _DENIED.search(said):
        return ImageDeniedError(f"{reference.host or reference} refuses: {said}")
    if reference.kind == "registry":
        return ImagesUnavailableError(f"{reference.host} cannot be reached: {said}")
    return BrokenImageError(f"{reference} cannot be read: {said}")
