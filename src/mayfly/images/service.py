"""Images, for who runs functions from them: named, kept, unpacked, and given back when nobody needs them.

An image is what its manifest's digest says, whatever a tag comes to mean: `resolve` turns a name into a digest, and
from then on only that counts. `prepare` keeps the image's layers as blobs and unpacks them; both are done once, whoever
asks and however often, and taken up again after a crash. The blobs are the truth, what is unpacked can be lost.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mayfly.clock import Clock
from mayfly.images import records, reference
from mayfly.images.errors import ImageDeniedError, ImageNotFoundError, ImageTooLargeError
from mayfly.images.intake import Intake
from mayfly.images.records import Image, Named
from mayfly.images.reference import Reference
from mayfly.images.registry import Registry
from mayfly.images.trees import Trees
from mayfly.settings import ImageSettings
from mayfly.store.api import Blobs, Store

MOST_NAMES = 1000  # that are listed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resolved:
    """An image that somebody named, pinned."""

    uri: str  # as it was named
    pinned: str  # the same by digest
    digest: str  # hexadecimal


class Images:
    """See the module. `open` before the first use, `close` after the last; `architecture` as images call it."""

    def __init__(
        self, data: Path, store: Store, blobs: Blobs, settings: ImageSettings, architecture: str, clock: Clock
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._settings = settings
        self._clock = clock
        self._trees = Trees(data, settings, blobs.read)
        self._intake = Intake(store, blobs, self._trees, Registry(settings), settings, architecture)
        self._fetching: dict[str, asyncio.Task[Image]] = {}
        self._pins: Counter[str] = Counter()
        self._arrived: set[str] = set()  # pinned since the sweep under way took its snapshot
        self._unused_since: dict[str, float] = {}

    async def open(self) -> None:
        await self._trees.open()

    async def close(self) -> None:
        """End what is under way; the next server takes it up."""
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._trees.close()

    async def resolve(self, uri: str) -> Resolved:
        """The image that is now behind a name; `ImageError`, `ImagesUnavailableError`.

        A registry is only asked for the manifest; what lies on this machine is kept at once.
        """
        named = reference.parse(uri)
        if named.kind == "registry":
            self._check_host(named)
            digest = await self._intake.resolve(named)
        elif named.kind == "own":
            digest = await self._own(named)
        else:
            digest = (await self._intake.local(named)).digest
        return Resolved(uri, str(named.pinned(f"sha256:{digest}")), digest)

    async def prepare(self, resolved: Resolved) -> Image:
        """The image, its root file system made; errors as of `resolve`."""
        image = await self.image(resolved.digest)
        if image is None:
            image = await self._fetch(resolved)
        await self._trees.unpack(image)
        return image

    async def image(self, digest: str) -> Image | None:
        """The image of that digest, if it is kept."""
        return await self._store.read(lambda reader: records.find(reader, digest))

    def root(self, digest: str) -> Path:
        """Where the root file system of a prepared image is."""
        return self._trees.root(digest)

    def progress(self, digest: str) -> str | None:
        """What is being done for an image that is being prepared; None when nothing is."""
        return self._trees.progress(digest) or ("fetching it" if digest in self._fetching else None)

    @contextmanager
    def pinned(self, digest: str) -> Iterator[None]:
        """Keep an image from being swept until what refers to it is committed."""
        self._arrived.add(digest)
        self._pins[digest] += 1
        try:
            yield
        finally:
            self._pins[digest] -= 1
            if not self._pins[digest]:
                del self._pins[digest]

    def _check_host(self, named: Reference) -> None:
        allowed = self._settings.registries
        if allowed is not None and named.host not in allowed:
            raise ImageDeniedError(f"the operator allows images from {', '.join(allowed)}, not from {named.host}")

    async def _own(self, named: Reference) -> str:
        tag = named.tag
        if named.digest is not None:
            digest: str | None = named.digest.removeprefix("sha256:")
            found = await self.image(digest or "")
            digest = digest if found is not None else None
        else:
            digest = await self._store.read(lambda reader: records.tagged(reader, named.place, tag or ""))
        if digest is None:
            raise ImageNotFoundError(f"{named} does not exist; `mayfly image ls` lists what there is")
        return digest

    async def _fetch(self, resolved: Resolved) -> Image:
        """Have the image kept, by one of all who want it."""
        task = self._fetching.get(resolved.digest)
        if task is None:
            task = asyncio.create_task(self._fetch_once(resolved))
            self._fetching[resolved.digest] = task
            task.add_done_callback(lambda done: self._fetched(resolved.digest, done))
        return await asyncio.shield(task)

    async def _fetch_once(self, resolved: Resolved) -> Image:
        named = reference.parse(resolved.uri)
        if named.kind == "registry":
            return await self._intake.fetch(named.pinned(f"sha256:{resolved.digest}"))
        if named.kind == "own":
            raise ImageNotFoundError(f"{resolved.pinned} is no longer kept")
        image = await self._intake.local(named)
        if image.digest != resolved.digest:
            raise ImageNotFoundError(f"{resolved.pinned} is no longer at that place, where another image is now")
        return image

    def _fetched(self, digest: str, task: "asyncio.Task[Image]") -> None:
        self._fetching.pop(digest, None)
        if not task.cancelled():
            task.exception()

    # The platform's own names.

    async def take(self, name: str, chunks: AsyncIterator[bytes]) -> Named:
        """Keep the image in the archive that `chunks` are, under a name of the platform's own."""
        named = reference.own(name)
        async with self._trees.work() as work:
            path = work / "upload"
            await self._receive(chunks, path)
            image = await self._intake.archive(path)
        tag, now = named.tag or "", self._clock.now()
        with self.pinned(image.digest):
            await self._store.write(lambda tx: records.tag(tx, named.place, tag, image.digest, now))
        return Named(named.place, tag, now, image)

    async def _receive(self, chunks: AsyncIterator[bytes], path: Path) -> None:
        size = 0
        with await self._trees.in_thread(lambda: path.open("xb")) as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._settings.uncompressed_bytes:
                    raise ImageTooLargeError(f"the archive has more than {self._settings.uncompressed_bytes} bytes")
                await self._trees.in_thread(partial(file.write, chunk))

    async def names(self) -> list[Named]:
        """The platform's own images."""
        return await self._store.read(lambda reader: records.tags(reader, MOST_NAMES))

    async def forget(self, name: str) -> None:
        """Take a name away; functions that run from the image do so on. `ImageNotFoundError`."""
        named = reference.own(name)
        if not await self._store.write(lambda tx: records.untag(tx, named.place, named.tag or "")):
            raise ImageNotFoundError(f"{named} does not exist")

    # Garbage.

    async def sweep(self, used: Callable[[], Awaitable[frozenset[str]]], grace_s: float) -> int:
        """Give back what no function has used for `grace_s`, and has no name; how many images.

        An image that only has a name keeps its blobs, and loses what is unpacked.
        """
        self._arrived = set()
        images = {image.digest: image for image in await self._store.read(records.everything)}
        roots, _ = await self._trees.kept()
        in_use = await used()
        now = self._clock.monotonic()
        idle = {each: self._unused_since.get(each, now) for each in (images.keys() | roots) - in_use}
        self._unused_since = idle
        doomed = [each for each, since in idle.items() if now - since >= grace_s and self._removable(each)]
        gone = 0
        for digest in doomed:
            if not self._removable(digest):
                continue
            await self._trees.remove_root(digest)
            if (image := images.get(digest)) is not None and await self._drop(image):
                gone += 1
        await self._sweep_layers()
        return gone

    def _removable(self, digest: str) -> bool:
        if self._pins[digest] or digest in self._arrived or digest in self._fetching:
            return False
        return self._trees.progress(digest) is None

    async def _drop(self, image: Image) -> bool:
        return await self._store.write(lambda tx: records.drop(tx, self._blobs, image))

    async def _sweep_layers(self) -> None:
        """Remove layers of which no root file system that is there consists."""
        images = await self._store.read(records.everything)
        roots, layers = await self._trees.kept()
        needed = {layer.diff_id for image in images if image.digest in roots for layer in image.layers}
        for diff_id in layers - needed:
            if self._trees.busy():
                return
            await self._trees.remove_layer(diff_id)
