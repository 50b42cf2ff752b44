"""Takes images in: from wherever a reference points to blobs and a record of what belongs together.

Every source ends as an OCI layout: skopeo makes one of what a registry or an archive has, a layout of the operator's is
read where it is. A layer that is kept already is not fetched again; all others are hashed on their way into the blobs.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from mayfly.images import manifest, records
from mayfly.images.errors import (
    BrokenImageError,
    ImageDeniedError,
    ImageNotFoundError,
    ImagesUnavailableError,
    ImageTooLargeError,
)
from mayfly.images.layout import Layout, Located
from mayfly.images.manifest import Descriptor, Index, Manifest
from mayfly.images.records import Image, Layer
from mayfly.images.reference import Kind, Reference
from mayfly.images.registry import LAYOUT, NAME, Registry
from mayfly.images.trees import Trees
from mayfly.settings import ImageSettings
from mayfly.store.api import BlobNotFoundError, Blobs, Store

_CHUNK = 1 << 20
_BLOCK = 512  # of a tar file
_MOST_ENTRIES = 20_000  # of an archive, which has some per layer


class Intake:
    """See the module. `architecture` in the words of images: "amd64", "arm64"."""

    def __init__(
        self, store: Store, blobs: Blobs, trees: Trees, registry: Registry, settings: ImageSettings, architecture: str
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._trees = trees
        self._registry = registry
        self._settings = settings
        self._architecture = architecture

    async def resolve(self, reference: Reference) -> str:
        """The digest (hexadecimal) of a registry's image for this machine; nothing else is fetched."""
        async with self._trees.work() as work:
            data = await self._registry.manifest(reference, work)
        chosen = await self._trees.in_thread(lambda: _digest(data))
        if reference.digest is not None and f"sha256:{chosen}" != reference.digest:
            raise BrokenImageError(f"the registry answers with another manifest than {reference.digest}")
        found = manifest.read_manifest(data)
        if isinstance(found, Index):
            return manifest.choose(found, self._architecture).hex
        self._check_size(found)
        return chosen

    async def fetch(self, reference: Reference) -> Image:
        """Keep the image that a registry has under a digest."""
        assert reference.digest is not None
        async with self._trees.work() as work:
            data = await self._registry.manifest(reference, work)
            if await self._trees.in_thread(lambda: _digest(data)) != reference.digest.removeprefix("sha256:"):
                raise BrokenImageError(f"the registry answers with another manifest than {reference.digest}")
            found = manifest.read_manifest(data)
            if isinstance(found, Index):
                raise BrokenImageError(f"{reference.digest} is an index, not an image")
            self._check_size(found)
            kept = await self._kept(found.layers)
            await self._trees.in_thread(lambda: _leave_out(work, kept))
            layout = Layout(await self._registry.fetch(reference, work, self._architecture))
            located = await self._trees.in_thread(lambda: layout.find(NAME, self._architecture))
            return await self._keep(layout, located, reference.digest.removeprefix("sha256:"), kept)

    async def local(self, reference: Reference) -> Image:
        """Keep the image at a path of this machine, where the operator allows that."""
        path = await self._trees.in_thread(lambda: self._allowed(reference))
        if reference.kind != "oci":
            return await self.archive(path, reference)
        layout = Layout(path)
        located = await self._trees.in_thread(lambda: layout.find(reference.tag, self._architecture))
        self._check_size(located.manifest)
        return await self._keep(layout, located, located.digest, await self._kept(located.manifest.layers))

    async def archive(self, path: Path, reference: Reference | None = None) -> Image:
        """Keep the image in a tar file, of an OCI layout or of Docker's. `reference` says which, and the tag."""
        async with self._trees.work() as work:
            copied = work / "archive.tar"
            await self._trees.in_thread(lambda: _copy(path, copied))
            if reference is None:
                kind, tag = await self._trees.in_thread(lambda: _kind(copied)), None
                reference = Reference(kind, str(path))
            else:
                kind, tag = reference.kind, reference.tag
            source = f"{kind}:{copied.name}" + (f":{tag}" if tag else "")
            layout = Layout(await self._registry.copy(reference, source, work, self._architecture))
            located = await self._trees.in_thread(lambda: layout.find(NAME, self._architecture))
            return await self._keep(layout, located, located.digest, await self._kept(located.manifest.layers))

    def _allowed(self, reference: Reference) -> Path:
        """The real path, which has to be below a directory that the operator named."""
        directories = [os.path.realpath(directory) for directory in self._settings.directories]
        real = os.path.realpath(reference.place)
        if not any(real == directory or real.startswith(f"{directory}/") for directory in directories):
            raise ImageDeniedError(
                f"{reference.place} is below no directory that images may be taken from; the operator names those "
                "with --image-directory, and `mayfly image import` needs none"
            )
        if not os.path.exists(real):
            raise ImageNotFoundError(f"{reference.place} does not exist")
        return Path(real)

    def _check_size(self, found: Manifest) -> None:
        """A first look; what layers unpack to is known when they are."""
        if found.size > self._settings.uncompressed_bytes:  # compressing makes nothing larger
            raise ImageTooLargeError(f"its layers have {found.size} bytes, more than an image may unpack to")

    async def _kept(self, layers: Sequence[Descriptor]) -> frozenset[str]:
        """Which of these layers are kept already."""
        wanted = {layer.hex for layer in layers}
        images = await self._store.read(records.everything)
        return frozenset(layer.digest for image in images for layer in image.layers if layer.digest in wanted)

    async def _keep(self, layout: Layout, located: Located, digest: str, kept: frozenset[str]) -> Image:
        """Store what is not there yet, and the record."""
        images = await self._store.read(records.everything)
        sizes = {layer.digest: layer.size for image in images for layer in image.layers}
        layers: list[Layer] = []
        for descriptor, diff_id in zip(located.manifest.layers, located.configuration.diff_ids, strict=True):
            size = sizes.get(descriptor.hex)
            if descriptor.hex not in kept or size is None:
                size = await self._store_layer(layout, descriptor)
            layers.append(Layer(descriptor.hex, size, diff_id))
            if sum(layer.size for layer in layers) > self._settings.uncompressed_bytes:
                raise ImageTooLargeError("its layers are larger than an image may be")
        image = records.of(digest, located.configuration, tuple(layers))
        try:
            await self._store.write(lambda tx: records.add(tx, self._blobs, image))
        except BlobNotFoundError as error:
            raise ImagesUnavailableError("a layer was given back while it was wanted again; try once more") from error
        return image

    async def _store_layer(self, layout: Layout, descriptor: Descriptor) -> int:
        source = await self._trees.in_thread(lambda: layout.open(descriptor.hex))
        try:
            if os.fstat(source).st_size > self._settings.uncompressed_bytes:
                raise ImageTooLargeError(f"its layer {descriptor.digest} is larger than an image may be")
            blob = await self._blobs.put(self._chunks(source))
        finally:
            os.close(source)
        if blob.digest != descriptor.hex:  # nobody owns it, so it is swept
            raise BrokenImageError(f"its layer {descriptor.digest} has another content than its digest says")
        return blob.size

    async def _chunks(self, source: int) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        while chunk := await loop.run_in_executor(None, os.read, source, _CHUNK):
            yield chunk


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _kind(archive: Path) -> Kind:
    """What a tar file holds, by the names in it; one that is compressed as a whole can only be Docker's."""
    with archive.open("rb") as file:
        for _ in range(_MOST_ENTRIES):
            header = file.read(_BLOCK)
            if header[:2] == b"\x1f\x8b":
                return "docker-archive"
            name = header[:100].rstrip(b"\0").removeprefix(b"./")
            if name == b"manifest.json":
                return "docker-archive"
            if name == b"oci-layout":
                return "oci-archive"
            try:
                size = int(header[124:136].rstrip(b"\0 ") or b"0", 8)
            except ValueError:
                break
            if len(header) < _BLOCK or not header.strip(b"\0"):
                break
            file.seek(-(-size // _BLOCK) * _BLOCK, os.SEEK_CUR)
    raise BrokenImageError("the file is no archive of an image: neither an OCI layout nor what `docker save` writes")


def _leave_out(work: Path, kept: frozenset[str]) -> None:
    """Put empty files where skopeo looks for what it need not fetch."""
    owner = work.stat()
    blobs = work / LAYOUT / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest in kept:
        (blobs / digest).touch()
    if os.geteuid() == 0:
        for path in (work / LAYOUT, blobs.parent, blobs):
            os.chown(path, owner.st_uid, owner.st_gid)


def _copy(source: Path, target: Path) -> None:
    """A copy for skopeo, which runs as somebody who may not read the operator's files."""
    shutil.copyfile(source, target)
    owner = target.parent.stat()
    target.chmod(0o400)
    if os.geteuid() == 0:
        os.chown(target, owner.st_uid, owner.st_gid)
