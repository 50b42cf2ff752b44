"""What an `ImageUri` may be, and what each part of it means. Pure.

registry.example.org/team/app:v1           a registry
registry.example.org/team/app@sha256:...   the same, pinned by the caller
mayfly.local/app:v1                        the platform's own images, put there by `mayfly image import`
oci:/srv/images/app:v1                     an OCI layout, a directory of this machine
oci-archive:/srv/images/app.tar[:v1]       the same as a tar file
docker-archive:/srv/images/app.tar         what `docker save` writes
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from mayfly.images.errors import BadReferenceError

Kind = Literal["registry", "own", "oci", "oci-archive", "docker-archive"]

OWN = "mayfly.local"
_LOCAL = ("oci", "oci-archive", "docker-archive")
_HOST = re.compile(r"(?=[^/]*[.:]|localhost(?:/|$))[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_NAME = 255
_MAX_PATH = 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """One image, as somebody named it."""

    kind: Kind
    place: str  # registry: host/name; own: name; else the absolute path
    tag: str | None = None
    digest: str | None = None  # "sha256:..."

    @property
    def host(self) -> str:
        """The registry's host and port; empty for all else."""
        return self.place.partition("/")[0] if self.kind == "registry" else ""

    def __str__(self) -> str:
        """As `parse` would read it again, but for an archive's or a layout's digest, which only shows."""
        prefix = {"registry": "", "own": f"{OWN}/"}.get(self.kind, f"{self.kind}:")
        tag = f":{self.tag}" if self.tag is not None and self.digest is None else ""
        return f"{prefix}{self.place}{tag}" + (f"@{self.digest}" if self.digest is not None else "")

    def pinned(self, digest: str) -> "Reference":
        """The image of that digest, whatever its tag comes to mean."""
        return replace(self, digest=digest)


def parse(uri: str) -> Reference:
    """What `uri` names; `BadReferenceError`."""
    scheme, colon, rest = uri.partition(":")
    if colon and scheme in _LOCAL and rest.startswith("/"):
        return _local(scheme, rest, uri)
    return _named(uri)


def own(name: str) -> Reference:
    """A name of the platform's own images, with or without its host; the tag is `latest` unless given."""
    if not name.startswith(f"{OWN}/"):
        name = f"{OWN}/{name}"
    if ":" not in name and "@" not in name:
        name += ":latest"
    reference = _named(name)
    if reference.tag is None or reference.digest is not None:
        raise BadReferenceError(f"{name} has no tag; name an image NAME:TAG")
    return reference


def _named(uri: str) -> Reference:
    host, slash, rest = uri.partition("/")
    if not slash or _HOST.fullmatch(host) is None:
        raise _bad(uri, "it does not begin with a registry's host, such as registry.example.org/app:v1")
    named, at, digest = rest.partition("@")
    if at and _DIGEST.fullmatch(digest) is None:
        raise _bad(uri, "what follows the @ is no sha256 digest")
    name, colon, tag = named.partition(":")
    if colon and _TAG.fullmatch(tag) is None:
        raise _bad(uri, "its tag has characters that no tag may have")
    if _NAME.fullmatch(name) is None or len(name) > _MAX_NAME:
        raise _bad(uri, "its name has characters that no name may have")
    if not colon and not at:
        raise _bad(uri, "it has neither tag nor digest")
    own_image = host == OWN
    place = name if own_image else f"{host}/{name}"
    return Reference("own" if own_image else "registry", place, tag or None, digest or None)


def _local(scheme: str, rest: str, uri: str) -> Reference:
    path, colon, tag = rest.partition(":")
    if len(path) > _MAX_PATH or "\0" in path or "," in path or "@" in path:
        raise _bad(uri, "its path is too long, or has characters that it may not have")
    if colon and _TAG.fullmatch(tag) is None:
        raise _bad(uri, "its tag has characters that no tag may have")
    kind: Kind = "oci" if scheme == "oci" else "oci-archive" if scheme == "oci-archive" else "docker-archive"
    if kind == "docker-archive" and colon:
        raise _bad(uri, "an archive of Docker's that holds several images must be imported one by one")
    return Reference(kind, path, tag or None)


def _bad(uri: str, why: str) -> BadReferenceError:
    return BadReferenceError(f"{uri[:300]} names no image: {why}")
