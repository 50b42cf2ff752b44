"""Makes container images without any tool: layers out of entries, and OCI layouts out of layers."""

import gzip
import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mayfly.services.functions.machine import host_architecture

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HERE = {"x86_64": "amd64", "arm64": "arm64"}[host_architecture()]
ELSEWHERE = {"amd64": "arm64", "arm64": "amd64"}[HERE]
_OCI = "application/vnd.oci.image"


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """One entry without content; see `layer`."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, link, mode, 1_600_000_000
    return info


def folder(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.SYMTYPE, link=target, mode=0o777)


def hard_link(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.LNKTYPE, link=target)


def tar(*entries: tarfile.TarInfo | tuple[str | tarfile.TarInfo, bytes]) -> bytes:
    """A tar file; pairs are files with their content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in entries:
            if isinstance(each, tarfile.TarInfo):
                archive.addfile(each)
                continue
            named, content = each
            info = entry(named) if isinstance(named, str) else named
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class Layer:
    """A layer as an image has it."""

    content: bytes  # the tar file
    compressed: bool = True
    media_type: str | None = None
    stored: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.stored = gzip.compress(self.content, 1, mtime=0) if self.compressed else self.content

    @property
    def kind(self) -> str:
        return self.media_type or f"{_OCI}.layer.v1.tar{'+gzip' if self.compressed else ''}"


def layer(*entries: tarfile.TarInfo | tuple[str | tarfile.TarInfo, bytes], compressed: bool = True) -> Layer:
    return Layer(tar(*entries), compressed)


def by_zstd(made: Layer, **options: int) -> Layer:
    """The same layer, compressed by zstd; `options` are names of its parameters."""
    parameters = {int(zstd.CompressionParameter[name]): value for name, value in options.items()}
    made.stored = zstd.compress(made.content, options=parameters)
    made.media_type = f"{_OCI}.layer.v1.tar+zstd"
    return made


class LayoutBuilder:
    """An OCI layout at `root`, written as it is made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.blobs.mkdir(parents=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._listed: list[dict[str, Any]] = []

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Write a blob; its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        (self.blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def image(
        self,
        layers: Sequence[Layer],
        process: Mapping[str, Any] | None = None,
        /,
        *,
        architecture: str = HERE,
        system: str = "linux",
        **changes: Any,
    ) -> dict[str, Any]:
        """Write an image; the descriptor of its manifest. `changes` replace members of the manifest."""
        configuration = {
            "architecture": architecture,
            "os": system,
            "config": dict(process or {}),
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(each.content).hexdigest()}" for each in layers],
            },
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": self.blob(json.dumps(configuration).encode(), f"{_OCI}.config.v1+json"),
            "layers": [self.blob(each.stored, each.kind) for each in layers],
        } | changes
        return self.blob(json.dumps(manifest).encode(), str(manifest["mediaType"]))

    def index(self, *images: tuple[dict[str, Any], str]) -> dict[str, Any]:
        """Write an index of images and their architectures; its descriptor."""
        listed = [image | {"platform": {"os": "linux", "architecture": name}} for image, name in images]
        content = {"schemaVersion": 2, "mediaType": f"{_OCI}.index.v1+json", "manifests": listed}
        return self.blob(json.dumps(content).encode(), f"{_OCI}.index.v1+json")

    def tag(self, name: str, descriptor: Mapping[str, Any]) -> str:
        """Name an image or an index, as often as one likes; its digest."""
        kept = [each for each in self._listed if each["annotations"]["org.opencontainers.image.ref.name"] != name]
        self._listed = [*kept, {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}]
        content = {"schemaVersion": 2, "manifests": self._listed}
        (self.root / "index.json").write_text(json.dumps(content))
        return str(descriptor["digest"])

    def archive(self, path: Path) -> Path:
        """The layout as a tar file."""
        with tarfile.open(path, "w") as tar:
            for file in sorted(self.root.rglob("*")):
                tar.add(file, str(file.relative_to(self.root)), recursive=False)
        return path
