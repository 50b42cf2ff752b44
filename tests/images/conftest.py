"""Images on a store of their own, in the test's directory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mayfly.clock import SystemClock
from mayfly.images.service import Images
from mayfly.settings import ImageSettings
from mayfly.store.files import FileBlobs
from mayfly.store.sqlite import SqliteStore
from tests.images.builder import HERE, LayoutBuilder

OpenImages = Callable[..., Awaitable[Images]]


@pytest.fixture
async def open_images(tmp_path: Path) -> AsyncIterator[OpenImages]:
    """Opens images on the same state, as often as asked; keywords replace settings."""
    async with AsyncExitStack() as cleanup:
        clock = SystemClock()
        store = await SqliteStore.open(tmp_path / "mayfly.db", ["mayfly.images"], clock)
        cleanup.push_async_callback(store.close)
        (tmp_path / "blobs").mkdir()
        blobs = FileBlobs(tmp_path / "blobs", store, clock)
        cleanup.push_async_callback(blobs.close)

        async def open_them(**changes: Any) -> Images:
            settings = replace(ImageSettings(directories=(tmp_path / "allowed",)), **changes)
            images = Images(tmp_path, store, blobs, settings, HERE, clock)
            await images.open()
            cleanup.push_async_callback(images.close)
            return images

        yield open_them


@pytest.fixture
async def images(open_images: OpenImages) -> Images:
    return await open_images()


@pytest.fixture
def layout(tmp_path: Path) -> LayoutBuilder:
    """A layout in the directory that images may be taken from."""
    return LayoutBuilder(tmp_path / "allowed" / "layout")
