"""Manifests, indexes and configurations of images: from bytes to what matters of them. Pure.

The formats are those of the OCI image specification 1.1 and of Docker's schema 2, which differ in little but their
media types. All of it comes from outside: sizes are bounded, digests are checked for their form before they become
names of files, and what is not understood is refused by name.
"""

import re
from typing import Any, TypeVar

import msgspec

from mayfly.images.errors import (
    BrokenImageError,
    ImageNotFoundError,
    ImageTooLargeError,
    UnsupportedImageError,
    WrongArchitectureError,
)

MAX_MANIFEST = 4 << 20  # what registries accept
MAX_CONFIG = 4 << 20
MAX_LAYERS = 127  # what overlay file systems, and so other platforms, can stack
_MAX_ENVIRONMENT = 128 * 1024

_INDEX = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFEST = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_CONFIG = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
_LAYER = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
)
T = TypeVar("T")
_HEX = re.compile(r"sha256:([0-9a-f]{64})")


class Platform(msgspec.Struct, frozen=True):
    """Which machines something is for."""

    architecture: str = ""
    os: str = ""
    variant: str | None = None


class Descriptor(msgspec.Struct, frozen=True, rename={"media_type": "mediaType"}):
    """A blob that is pointed at."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None
    annotations: dict[str, str] | None = None

    @property
    def hex(self) -> str:
        """The digest without its algorithm: the name of a blob."""
        return self.digest.removeprefix("sha256:")


class Manifest(msgspec.Struct, frozen=True):
    """One image for one kind of machine."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes of the layers as they are stored."""
        return sum(layer.size for layer in self.layers)


class Index(msgspec.Struct, frozen=True):
    """One image for several kinds of machines, or all images of a layout."""

    manifests: tuple[Descriptor, ...]


class Process(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """What an image says of the process to start."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None
    working_dir: str | None = None

    def variables(self) -> dict[str, str]:
        """Its environment; what is no assignment is left out, and of two of a name the last one counts."""
        return dict(each.split("=", 1) for each in self.env or () if "=" in each[1:])


class _Layers(msgspec.Struct, frozen=True):
    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class Configuration(msgspec.Struct, frozen=True):
    """An image's configuration."""

    architecture: str = ""
    os: str = ""
    rootfs: _Layers = _Layers()
    config: Process | None = None

    @property
    def process(self) -> Process:
        return self.config or Process()

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digests of the layers as they are uncompressed, hexadecimal, the lowest first."""
        return tuple(digest.removeprefix("sha256:") for digest in self.rootfs.diff_ids)


def read_manifest(data: bytes) -> Index | Manifest:
    """What a manifest says; `UnsupportedImageError`, `BrokenImageError`, `ImageTooLargeError`."""
    if len(data) > MAX_MANIFEST:
        raise ImageTooLargeError(f"its manifest has more than {MAX_MANIFEST} bytes")
    head = _decoded(data, dict[str, Any], "manifest")
    if head.get("schemaVersion") != 2:
        version = str(head.get("schemaVersion"))[:20]
        raise UnsupportedImageError(
            f"its manifest has schema version {version}, which nobody makes any more; push it with a newer tool"
        )
    media_type = head.get("mediaType", "")
    if media_type in _INDEX or (not media_type and "manifests" in head):
        index = _decoded(data, Index, "index")
        _check(index.manifests)
        return index
    if (media_type and media_type not in _MANIFEST) or "config" not in head:
        raise UnsupportedImageError(f"its manifest is of the type {str(media_type)[:200] or 'nobody knows'}")
    manifest = _decoded(data, Manifest, "manifest")
    _check((manifest.config, *manifest.layers))
    _check_types(manifest)
    return manifest


def _check(descriptors: tuple[Descriptor, ...]) -> None:
    for descriptor in descriptors:
        if _HEX.fullmatch(descriptor.digest) is None or descriptor.size < 0:
            raise BrokenImageError(f"{descriptor.digest[:100]!r} is no digest of SHA-256, or its size is negative")


def _check_types(manifest: Manifest) -> None:
    if len(manifest.layers) > MAX_LAYERS:
        raise ImageTooLargeError(f"it has {len(manifest.layers)} layers, and {MAX_LAYERS} are the most")
    if manifest.config.media_type not in _CONFIG:
        raise UnsupportedImageError(f"its configuration is of the type {manifest.config.media_type[:200] or 'none'}")
    if manifest.config.size > MAX_CONFIG:
        raise ImageTooLargeError(f"its configuration has more than {MAX_CONFIG} bytes")
    for layer in manifest.layers:
        if layer.media_type not in _LAYER:
            raise UnsupportedImageError(
                f"its layer {layer.digest} is of the type {layer.media_type[:200] or 'none'}; "
                "tar files, plain or compressed by gzip or zstd, are what can be run"
            )


def choose(index: Index, architecture: str) -> Descriptor:
    """The manifest for Linux on `architecture` ("amd64", "arm64"); `WrongArchitectureError`."""
    for each in index.manifests:
        if each.platform is not None and (each.platform.os, each.platform.architecture) == ("linux", architecture):
            return each
    there = sorted({f"{one.platform.os}/{one.platform.architecture}" for one in index.manifests if one.platform})
    raise WrongArchitectureError(
        f"it is there for {', '.join(there)[:200] or 'no machine'}, not for linux/{architecture}"
    )


def tagged(index: Index, tag: str | None) -> Descriptor:
    """The image that a layout's index lists under `tag`; the only one where None. `ImageNotFoundError`."""
    name = "org.opencontainers.image.ref.name"
    if tag is None:
        if len(index.manifests) == 1:
            return index.manifests[0]
        raise ImageNotFoundError(f"there are {len(index.manifests)} images in it; name one by its tag")
    for each in index.manifests:
        if each.annotations is not None and each.annotations.get(name) == tag:
            return each
    raise ImageNotFoundError(f"there is no image {tag} in it")


def read_configuration(data: bytes, manifest: Manifest, architecture: str) -> Configuration:
    """The configuration of an image of `manifest` that machines of `architecture` can run; `ImageError`."""
    if len(data) > MAX_CONFIG:
        raise ImageTooLargeError(f"its configuration has more than {MAX_CONFIG} bytes")
    configuration = _decoded(data, Configuration, "configuration")
    if (configuration.os, configuration.architecture) != ("linux", architecture):
        theirs = f"{configuration.os or 'nothing'}/{configuration.architecture or 'nothing'}"[:100]
        raise WrongArchitectureError(f"it is for {theirs}, not for linux/{architecture}")
    digests = configuration.rootfs.diff_ids
    if len(digests) != len(manifest.layers):
        raise BrokenImageError(f"its configuration speaks of {len(digests)} layers, its manifest of others")
    if any(_HEX.fullmatch(digest) is None for digest in digests):
        raise BrokenImageError("its configuration names a layer by something that is no digest of SHA-256")
    process = configuration.process
    words = (*(process.entrypoint or ()), *(process.cmd or ()), *(process.env or ()), process.working_dir or "")
    if sum(len(word.encode("utf-8", "surrogatepass")) + 1 for word in words) > _MAX_ENVIRONMENT:
        raise ImageTooLargeError(f"its command and environment have more than {_MAX_ENVIRONMENT} bytes")
    if any("\0" in word for word in words):
        raise BrokenImageError("its command or environment has a null byte in it")
    return configuration


def _decoded(data: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BrokenImageError(f"its {what} is not what it should be: {error}") from error
