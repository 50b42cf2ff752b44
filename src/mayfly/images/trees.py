"""Images unpacked, below `<data>/images`: each layer once, and for each image a root file system of hard links to them.

Both are made under `incoming/`, by processes that are shut in there, and renamed into place when they are complete and
durable: what has its name is whole. Several who want the same wait for one. All of it can be made again from the blobs.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from mayfly import ids
from mayfly.images import children
from mayfly.images.errors import BrokenImageError, BrokenLayerError, ImagesUnavailableError, ImageTooLargeError
from mayfly.images.records import Image, Layer
from mayfly.settings import ImageSettings

_AT_ONCE = 2  # layers that are unpacked side by side
_FACTS = "facts.json"

T = TypeVar("T")
Read = Callable[[str], AsyncIterator[bytes]]


class Facts(msgspec.Struct, frozen=True):
    """What was counted when a layer was unpacked."""

    bytes: int
    entries: int


class Trees:
    """Owns `<data>/images`. `open` before the first use, `close` after the last."""

    def __init__(self, data: Path, settings: ImageSettings, read: Read) -> None:
        self._top = data / "images"
        self._layers = self._top / "layers"
        self._roots = self._top / "roots"
        self._incoming = self._top / "incoming"
        self._settings = settings
        self._read = read
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="mayfly-images")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._under_way: dict[Path, asyncio.Task[None]] = {}
        self._uid = os.geteuid()
        self._said: dict[str, str] = {}  # of images that are being unpacked

    async def open(self) -> None:
        """Create the directories, and remove what a crash left half done."""
        await self.in_thread(self._prepare)

    async def close(self) -> None:
        """End what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown()

    def root(self, digest: str) -> Path:
        """Where an image's root file system is, once it is made."""
        return self._roots / digest

    def progress(self, digest: str) -> str | None:
        """How far the unpacking of an image is; None when it is not under way."""
        return self._said.get(digest)

    @asynccontextmanager
    async def work(self) -> AsyncIterator[Path]:
        """A directory for the children to write to; it is gone afterwards."""
        path = self._incoming / ids.token(16)
        await self.in_thread(lambda: self._make(path))
        try:
            yield path
        finally:
            await asyncio.shield(self.in_thread(lambda: shutil.rmtree(path, ignore_errors=True)))

    async def unpack(self, image: Image) -> Path:
        """The root file system of an image; `ImageError`, `ImagesUnavailableError`, and what reading blobs raises."""
        root = self.root(image.digest)
        if not root.is_dir():
            await self._once(root, lambda: self._unpack(image, root))
        return root

    async def _once(self, target: Path, make: Callable[[], Awaitable[None]]) -> None:
        """Have `target` made by one of all who want it, who goes on when the others stop waiting."""
        task = self._under_way.get(target)
        if task is None:
            task = asyncio.ensure_future(_run(make))
            self._under_way[target] = task
            task.add_done_callback(lambda done: self._forget(target, done))
        await asyncio.shield(task)

    def _forget(self, target: Path, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(target, None)
        if not task.cancelled():
            task.exception()

    async def _unpack(self, image: Image, root: Path) -> None:
        left = self._settings.uncompressed_bytes
        try:
            for number, layer in enumerate(image.layers, 1):
                self._said[image.digest] = f"unpacking layer {number} of {len(image.layers)}"
                left -= (await self._layer(layer, left)).bytes
                if left < 0:
                    raise ImageTooLargeError(
                        f"its layers have more than {self._settings.uncompressed_bytes} bytes together"
                    )
            self._said[image.digest] = "putting its layers together"
            await self._merge(image, root)
        finally:
            self._said.pop(image.digest, None)

    async def _layer(self, layer: Layer, most: int) -> Facts:
        target = self._layers / layer.diff_id
        if not target.is_dir():
            await self._once(target, lambda: self._make_layer(layer, target, most))
        try:
            return msgspec.json.decode(await self.in_thread((target / _FACTS).read_bytes), type=Facts)
        except (OSError, msgspec.DecodeError) as error:
            raise ImagesUnavailableError(f"{target} is damaged: {error}; remove it") from error

    async def _make_layer(self, layer: Layer, target: Path, most: int) -> None:
        async with self._slots, self.work() as work:
            arguments = (self._uid, most, self._settings.entries)
            source = self._read(layer.digest)
            digest = f"sha256:{layer.digest}"
            try:
                answer = await children.answer("layer", arguments, work, source, self._settings.unpack_timeout_s)
                answer.check(f"the layer {digest}")
            except BrokenImageError as error:
                raise BrokenLayerError(digest, str(error)) from error
            if answer.diff_id != layer.diff_id:
                raise BrokenLayerError(digest, f"the layer {digest} is not the one that the configuration names")
            facts = msgspec.json.encode(Facts(answer.bytes, answer.entries))
            await self.in_thread(lambda: self._settle(work, target, facts))

    async def _merge(self, image: Image, root: Path) -> None:
        async with self.work() as work:
            asked = {
                "layers": [f"layers/{layer.diff_id}" for layer in image.layers],
                "root": f"incoming/{work.name}/root",
            }

            async def source() -> AsyncIterator[bytes]:
                yield msgspec.json.encode(asked)

            timeout_s = self._settings.unpack_timeout_s
            answer = await children.answer("merge", (self._uid,), self._top, source(), timeout_s)
            answer.check("the image")
            await self.in_thread(lambda: self._settle(work / "root", root, None))

    # What is there, and its removal.

    async def kept(self) -> tuple[frozenset[str], frozenset[str]]:
        """Names of the root file systems and of the layers that are there."""
        return await self.in_thread(lambda: (_names(self._roots), _names(self._layers)))

    async def remove_root(self, digest: str) -> None:
        """Remove an image's root file system, at once and as a whole for who looks."""
        await self._remove(self._roots / digest)

    async def remove_layer(self, diff_id: str) -> None:
        """Remove a layer that no root file system being made needs."""
        await self._remove(self._layers / diff_id)

    def busy(self) -> bool:
        """Whether something is being unpacked."""
        return bool(self._under_way)

    async def _remove(self, path: Path) -> None:
        trash = self._incoming / ids.token(16)
        with suppress(FileNotFoundError):
            os.rename(path, trash)  # no await since the caller found it unused
            await self.in_thread(lambda: shutil.rmtree(trash, ignore_errors=True))

    # In a thread.

    async def in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _prepare(self) -> None:
        self._top.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self._incoming, ignore_errors=True)
        for path in (self._layers, self._roots, self._incoming):
            path.mkdir(exist_ok=True)
        with suppress(ImagesUnavailableError):  # `work` tells it to who wants an image
            self._uid = children.owner(self._incoming)
            children.let_through(self._top, self._uid)

    def _make(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        children.owner(path)

    def _settle(self, made: Path, target: Path, facts: bytes | None) -> None:
        """Move what is complete to its place."""
        if facts is not None:
            with (made / _FACTS).open("xb") as file:
                file.write(facts)
                file.flush()
                os.fsync(file.fileno())
        made.chmod(0o755)
        if not target.is_dir():
            made.rename(target)
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def _run(make: Callable[[], Awaitable[None]]) -> None:
    await make()


def _names(directory: Path) -> frozenset[str]:
    return frozenset(os.listdir(directory))
