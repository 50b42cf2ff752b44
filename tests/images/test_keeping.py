"""What is kept of images: made once, taken up after a crash, given back when nobody needs it."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.images import children
from mayfly.images.errors import BrokenImageError, ImagesUnavailableError
from mayfly.images.service import Images, Resolved
from tests.images.builder import Layer, LayoutBuilder, layer
from tests.images.conftest import OpenImages
from tests.images.registry import required

BASE = layer(("base", b"base"))


async def resolved(images: Images, layout: LayoutBuilder, *layers: Layer, tag: str = "v1") -> Resolved:
    layout.tag(tag, layout.image(layers))
    return await images.resolve(f"oci:{layout.root}:{tag}")


async def sweep(images: Images, *used: str, grace_s: float = 0.0) -> int:
    async def in_use() -> frozenset[str]:
        return frozenset(used)

    return await images.sweep(in_use, grace_s)


def layers_of(data: Path) -> set[str]:
    return {path.name for path in (data / "images" / "layers").iterdir()}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which programs were started, in order."""
    programs: list[str] = []
    answer = children.answer

    async def counted(program: str, *rest: object) -> children.Answer:
        programs.append(program)
        return await answer(program, *rest)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(children, "answer", counted)
    return programs


async def test_all_who_want_the_same_image_share_one_unpacking(
    images: Images, layout: LayoutBuilder, started: list[str]
) -> None:
    wanted = await resolved(images, layout, BASE, layer(("own", b"")))
    await asyncio.gather(*(images.prepare(wanted) for _ in range(10)))
    assert sorted(started) == ["layer", "layer", "merge"]


async def test_images_that_share_a_layer_unpack_it_once(
    images: Images, layout: LayoutBuilder, started: list[str]
) -> None:
    first = await resolved(images, layout, BASE, layer(("one", b"")), tag="one")
    second = await resolved(images, layout, BASE, layer(("two", b"")), tag="two")
    await asyncio.gather(images.prepare(first), images.prepare(second))
    assert sorted(started) == ["layer", "layer", "layer", "merge", "merge"]


async def test_who_stops_waiting_does_not_stop_the_others(images: Images, layout: LayoutBuilder) -> None:
    wanted = await resolved(images, layout, BASE)
    impatient = asyncio.create_task(images.prepare(wanted))
    patient = asyncio.create_task(images.prepare(wanted))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).digest == wanted.digest
    assert images.root(wanted.digest).is_dir()


async def test_what_is_unpacked_is_there_after_a_restart(
    open_images: OpenImages, layout: LayoutBuilder, started: list[str]
) -> None:
    first = await open_images()
    wanted = await resolved(first, layout, BASE)
    await first.prepare(wanted)
    await first.close()
    started.clear()
    await (await open_images()).prepare(wanted)
    assert started == []


async def test_what_is_unpacked_and_lost_is_made_again_without_the_source(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    wanted = await resolved(images, layout, BASE)
    await images.prepare(wanted)
    (layout.root / "index.json").unlink()
    for path in (tmp_path / "images" / "roots", tmp_path / "images" / "layers"):
        for each in path.iterdir():
            shutil.rmtree(each)
    await images.prepare(wanted)
    assert (images.root(wanted.digest) / "base").read_bytes() == b"base"


async def test_a_killed_unpacker_leaves_nothing_and_the_next_attempt_succeeds(
    images: Images, layout: LayoutBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await resolved(images, layout, layer(("large", os.urandom(8 << 20))))
    create = asyncio.create_subprocess_exec

    async def killed(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        child = await create(*arguments, **options)  # type: ignore[arg-type]  # passed on as they are
        child.send_signal(signal.SIGKILL)
        return child

    with monkeypatch.context() as patched:
        patched.setattr(asyncio, "create_subprocess_exec", killed)
        with pytest.raises(BrokenImageError, match="status -9"):
            await images.prepare(wanted)
    assert layers_of(tmp_path) == set()
    assert list((tmp_path / "images" / "incoming").iterdir()) == []
    await images.prepare(wanted)
    assert (images.root(wanted.digest) / "large").stat().st_size == 8 << 20


async def test_what_a_killed_server_left_half_done_is_removed(open_images: OpenImages, tmp_path: Path) -> None:
    half = tmp_path / "images" / "incoming" / "half" / "tree"
    half.mkdir(parents=True)
    (half / "file").write_text("half of it")
    await open_images()
    assert list((tmp_path / "images" / "incoming").iterdir()) == []


async def test_an_unpacker_ends_with_its_server(tmp_path: Path) -> None:
    """The server is a process that starts an unpacker as `children` does, and is killed while that reads."""
    program = (
        "import asyncio, os, pathlib, sys\n"
        "from mayfly.images import children\n"
        "async def never():\n"
        "    yield bytes(512)\n"
        "    print('fed', flush=True)\n"
        "    await asyncio.sleep(600)\n"
        f"directory = pathlib.Path({str(tmp_path)!r}) / 'work'\n"
        "directory.mkdir()\n"
        "uid = children.owner(directory)\n"
        "asyncio.run(children.answer('layer', (uid, 1000, 1000), directory, never(), 600))\n"
    )
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    assert await server.stdout.readline() == b"fed\n"
    children_of = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    (child,) = map(int, (await asyncio.to_thread(children_of.read_text)).split())
    descriptor = os.pidfd_open(child)
    try:
        server.kill()
        await server.wait()
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, ended.set)
        async with asyncio.timeout(60):
            await ended.wait()
        asyncio.get_running_loop().remove_reader(descriptor)
    finally:
        os.close(descriptor)


async def test_images_that_nobody_uses_are_given_back_with_the_layers_that_only_they_have(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    kept = await resolved(images, layout, BASE, layer(("kept", b"")), tag="kept")
    gone = await resolved(images, layout, BASE, layer(("gone", b"")), tag="gone")
    await images.prepare(kept)
    await images.prepare(gone)
    assert len(layers_of(tmp_path)) == 3
    assert await sweep(images, kept.digest) == 1
    assert len(layers_of(tmp_path)) == 2
    assert not images.root(gone.digest).exists()
    assert (images.root(kept.digest) / "base").read_bytes() == b"base"
    assert await images.image(gone.digest) is None


async def test_an_image_without_users_has_a_grace(images: Images, layout: LayoutBuilder) -> None:
    wanted = await resolved(images, layout, BASE)
    await images.prepare(wanted)
    assert await sweep(images, grace_s=3600.0) == 0
    assert images.root(wanted.digest).is_dir()


async def test_an_image_that_is_pinned_stays(images: Images, layout: LayoutBuilder) -> None:
    wanted = await resolved(images, layout, BASE)
    await images.prepare(wanted)
    with images.pinned(wanted.digest):
        assert await sweep(images) == 0
    assert images.root(wanted.digest).is_dir()
    assert await sweep(images) == 1


async def test_an_image_with_a_name_keeps_its_bytes_and_gives_back_what_is_unpacked(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    required("skopeo")
    layout.tag("v1", layout.image([BASE]))
    archive = layout.archive(tmp_path / "app.tar").read_bytes()

    async def chunks() -> AsyncIterator[bytes]:
        yield archive

    await images.take("app:v1", chunks())
    wanted = await images.resolve("mayfly.local/app:v1")
    await images.prepare(wanted)
    assert await sweep(images) == 0
    assert not images.root(wanted.digest).exists()
    assert layers_of(tmp_path) == set()
    await images.prepare(await images.resolve("mayfly.local/app:v1"))
    assert (images.root(wanted.digest) / "base").read_bytes() == b"base"
    await images.forget("app:v1")
    assert await sweep(images) == 1


async def test_a_full_disk_is_the_platforms_trouble_and_leaves_nothing(
    images: Images, layout: LayoutBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = await resolved(images, layout, BASE)
    monkeypatch.setattr(children, "_RUN", children._RUN.replace("import {0};", "import {0}; {0}.RESERVE = 1 << 70;"))
    with pytest.raises(ImagesUnavailableError, match="make room"):
        await images.prepare(wanted)
    assert list((tmp_path / "images" / "incoming").iterdir()) == []
