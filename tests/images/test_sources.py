"""Where images come from on this machine: layouts, archives, the platform's own names. And what of them is refused."""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mayfly.images.errors import (
    BrokenImageError,
    ImageDeniedError,
    ImageError,
    ImageNotFoundError,
    ImagesUnavailableError,
    ImageTooLargeError,
    UnsupportedImageError,
    WrongArchitectureError,
)
from mayfly.images.service import Images
from tests.images.builder import ELSEWHERE, HERE, LayoutBuilder, layer, link, tar
from tests.images.conftest import OpenImages
from tests.images.registry import required

HELLO = layer(("hello", b"hello"))


@pytest.fixture
def skopeo() -> None:
    required("skopeo")


async def chunks(path: Path) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(path.read_bytes)


async def test_a_layout_is_resolved_by_tag_and_pinned_by_digest(images: Images, layout: LayoutBuilder) -> None:
    digest = layout.tag("v1", layout.image([HELLO], {"Cmd": ["/hello"]}))
    resolved = await images.resolve(f"oci:{layout.root}:v1")
    assert resolved.pinned == f"oci:{layout.root}@{digest}"
    image = await images.prepare(resolved)
    assert image.process.cmd == ("/hello",)
    assert (images.root(image.digest) / "hello").read_bytes() == b"hello"


async def test_what_a_tag_comes_to_mean_later_changes_nothing(images: Images, layout: LayoutBuilder) -> None:
    layout.tag("v1", layout.image([HELLO]))
    first = await images.resolve(f"oci:{layout.root}:v1")
    layout.tag("v1", layout.image([layer(("hello", b"other"))]))
    await images.prepare(first)
    assert (images.root(first.digest) / "hello").read_bytes() == b"hello"
    second = await images.resolve(f"oci:{layout.root}:v1")
    assert second.digest != first.digest


async def test_an_image_that_is_gone_from_its_layout_is_not_replaced_by_another(
    images: Images, layout: LayoutBuilder
) -> None:
    layout.tag("v1", layout.image([HELLO]))
    first = await images.resolve(f"oci:{layout.root}:v1")
    await sweep(images)
    layout.tag("v1", layout.image([layer(("hello", b"other"))]))
    with pytest.raises(ImageNotFoundError, match="another image"):
        await images.prepare(first)


async def sweep(images: Images, *used: str) -> int:
    async def in_use() -> frozenset[str]:
        return frozenset(used)

    return await images.sweep(in_use, 0.0)


async def test_of_an_index_the_image_for_this_machine_is_taken(images: Images, layout: LayoutBuilder) -> None:
    here, there = layout.image([HELLO]), layout.image([HELLO], architecture=ELSEWHERE)
    layout.tag("v1", layout.index((there, ELSEWHERE), (here, HERE)))
    resolved = await images.resolve(f"oci:{layout.root}:v1")
    assert f"sha256:{resolved.digest}" == here["digest"]


@pytest.mark.parametrize("listed", [True, False])
async def test_an_image_for_other_machines_is_refused(images: Images, layout: LayoutBuilder, listed: bool) -> None:
    image = layout.image([HELLO], architecture=ELSEWHERE)
    layout.tag("v1", layout.index((image, ELSEWHERE)) if listed else image)
    with pytest.raises(WrongArchitectureError, match=f"linux/{ELSEWHERE}, not for linux/{HERE}"):
        await images.resolve(f"oci:{layout.root}:v1")


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"schemaVersion": 1}, UnsupportedImageError),
        ({"mediaType": "application/vnd.example"}, UnsupportedImageError),
        ({"annotations": {"x": "y" * (5 << 20)}}, ImageTooLargeError),
        ({"layers": []}, BrokenImageError),
    ],
    ids=["an old schema", "an unknown type", "five megabytes of annotations", "fewer layers than it says"],
)
async def test_a_manifest_is_refused_that_has(
    images: Images, layout: LayoutBuilder, changes: dict[str, Any], kind: type[ImageError]
) -> None:
    layout.tag("v1", layout.image([HELLO], **changes))
    with pytest.raises(kind):
        await images.resolve(f"oci:{layout.root}:v1")


async def test_a_blob_with_another_content_is_refused(images: Images, layout: LayoutBuilder) -> None:
    layout.tag("v1", layout.image([HELLO]))
    blob = layout.blobs / hashlib.sha256(HELLO.stored).hexdigest()
    blob.write_bytes(layer(("hello", b"altered")).stored)
    with pytest.raises(BrokenImageError, match="another content"):
        await images.resolve(f"oci:{layout.root}:v1")


async def test_layers_that_are_kept_are_not_read_again(images: Images, layout: LayoutBuilder) -> None:
    layout.tag("v1", layout.image([HELLO]))
    first = await images.resolve(f"oci:{layout.root}:v1")
    (layout.blobs / hashlib.sha256(HELLO.stored).hexdigest()).unlink()
    assert await images.resolve(f"oci:{layout.root}:v1") == first
    assert (await images.prepare(first)).layers[0].size == len(HELLO.stored)


async def test_a_blob_that_is_missing_is_named(images: Images, layout: LayoutBuilder) -> None:
    layout.tag("v1", layout.image([HELLO]))
    digest = hashlib.sha256(HELLO.stored).hexdigest()
    (layout.blobs / digest).unlink()
    with pytest.raises(BrokenImageError, match=f"sha256:{digest} is missing"):
        await images.resolve(f"oci:{layout.root}:v1")


async def test_no_link_of_a_layout_is_followed(images: Images, layout: LayoutBuilder, tmp_path: Path) -> None:
    layout.tag("v1", layout.image([HELLO]))
    blob = layout.blobs / hashlib.sha256(HELLO.stored).hexdigest()
    outside = tmp_path / "outside"
    blob.rename(outside)
    blob.symlink_to(outside)
    with pytest.raises(BrokenImageError, match="no plain file"):
        await images.resolve(f"oci:{layout.root}:v1")


async def test_a_pipe_in_place_of_a_blob_holds_nothing_up(images: Images, layout: LayoutBuilder) -> None:
    layout.tag("v1", layout.image([HELLO]))
    blob = layout.blobs / hashlib.sha256(HELLO.stored).hexdigest()
    blob.unlink()
    os.mkfifo(blob)
    with pytest.raises(BrokenImageError, match="no plain file"):
        await images.resolve(f"oci:{layout.root}:v1")


async def test_a_path_has_to_lie_where_the_operator_allows_it(
    open_images: OpenImages, layout: LayoutBuilder, tmp_path: Path
) -> None:
    layout.tag("v1", layout.image([HELLO]))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(layout.root, elsewhere)
    (tmp_path / "allowed" / "link").symlink_to(elsewhere)
    images = await open_images()
    for path in (elsewhere, tmp_path / "allowed" / "link", tmp_path / "allowed/../elsewhere"):
        with pytest.raises(ImageDeniedError, match="--image-directory"):
            await images.resolve(f"oci:{path}:v1")
    closed = await open_images(directories=())
    with pytest.raises(ImageDeniedError):
        await closed.resolve(f"oci:{layout.root}:v1")


async def test_what_is_not_there_is_said_to_be_so(images: Images, layout: LayoutBuilder) -> None:
    layout.tag("v1", layout.image([HELLO]))
    for uri in (f"oci:{layout.root}:v2", f"oci:{layout.root.parent}/nothing:v1", "mayfly.local/nothing:v1"):
        with pytest.raises(ImageNotFoundError):
            await images.resolve(uri)


@pytest.mark.usefixtures("skopeo")
async def test_an_archive_of_a_layout_is_imported_under_a_name(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    digest = layout.tag("v1", layout.image([HELLO]))
    named = await images.take("team/app:v1", chunks(layout.archive(tmp_path / "app.tar")))
    assert (named.name, named.tag, f"sha256:{named.image.digest}") == ("team/app", "v1", digest)
    resolved = await images.resolve("mayfly.local/team/app:v1")
    await images.prepare(resolved)
    assert (images.root(resolved.digest) / "hello").read_bytes() == b"hello"
    assert [f"{each.name}:{each.tag}" for each in await images.names()] == ["team/app:v1"]


@pytest.mark.usefixtures("skopeo")
async def test_what_docker_saves_is_imported(images: Images, tmp_path: Path) -> None:
    configuration = {
        "architecture": HERE,
        "os": "linux",
        "config": {"Entrypoint": ["/hello"], "Cmd": None},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(HELLO.content).hexdigest()}"]},
        "history": [{"created_by": "COPY"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": ["app:v1"], "Layers": ["layer.tar"]}]
    saved = tmp_path / "saved.tar"
    saved.write_bytes(
        tar(
            ("config.json", json.dumps(configuration).encode()),
            ("layer.tar", HELLO.content),
            ("manifest.json", json.dumps(manifest).encode()),
        )
    )
    image = (await images.take("app", chunks(saved))).image
    assert image.process.entrypoint == ("/hello",)
    resolved = await images.resolve("mayfly.local/app:latest")
    await images.prepare(resolved)
    assert (images.root(image.digest) / "hello").read_bytes() == b"hello"


@pytest.mark.usefixtures("skopeo")
@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", layer(("some", b"file")).content, layer(link("oci-layout", "/etc/passwd")).content],
    ids=["nothing", "no tar file", "a tar file of something else", "a link for a layout"],
)
async def test_what_is_no_archive_of_an_image_is_refused(images: Images, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junk"
    path.write_bytes(content)
    with pytest.raises(ImageError):
        await images.take("app", chunks(path))
    assert await images.names() == []


@pytest.mark.usefixtures("skopeo")
async def test_an_archive_of_the_operators_is_taken_where_it_lies(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    digest = layout.tag("v1", layout.image([HELLO]))
    archive = layout.archive(tmp_path / "allowed" / "app.tar")
    archive.chmod(0o600)
    resolved = await images.resolve(f"oci-archive:{archive}:v1")
    assert f"sha256:{resolved.digest}" == digest
    with pytest.raises(ImageError):
        await images.resolve(f"oci-archive:{archive}:v2")


async def test_an_archive_larger_than_an_image_may_be_is_not_received(open_images: OpenImages, tmp_path: Path) -> None:
    images = await open_images(uncompressed_bytes=1000)
    path = tmp_path / "large"
    path.write_bytes(bytes(2000))
    with pytest.raises(ImageTooLargeError):
        await images.take("app", chunks(path))


@pytest.mark.usefixtures("skopeo")
async def test_what_an_archive_makes_of_itself_is_bounded(
    open_images: OpenImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layer is compressed a thousandfold, and skopeo writes it as it is uncompressed."""
    monkeypatch.setattr("mayfly.images.registry._LOOK_EVERY_S", 0.001)
    bomb = layer(("zeros", bytes(600 << 20)))
    configuration = {"architecture": HERE, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    manifest = [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    path = tmp_path / "bomb.tar"
    path.write_bytes(
        tar(
            ("config.json", json.dumps(configuration).encode()),
            ("layer.tar", bomb.stored),
            ("manifest.json", json.dumps(manifest).encode()),
        )
    )
    images = await open_images(uncompressed_bytes=20 << 20)
    with pytest.raises((ImageError, ImagesUnavailableError)):
        await images.take("app", chunks(path))
    assert list((tmp_path / "images" / "incoming").iterdir()) == []


async def test_the_package_to_install_is_named_where_a_tool_is_missing(
    images: Images, layout: LayoutBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.images.registry._TOOLS", str(tmp_path))
    with pytest.raises(ImagesUnavailableError, match="apt-get install skopeo"):
        await images.resolve("registry.example.org/app:v1")


@pytest.mark.usefixtures("skopeo")
async def test_a_name_can_move_and_go_while_its_image_stays_in_use(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    layout.tag("v1", layout.image([HELLO]))
    archive = layout.archive(tmp_path / "app.tar")
    first = await images.take("app", chunks(archive))
    resolved = await images.resolve("mayfly.local/app:latest")
    await images.forget("app")
    with pytest.raises(ImageNotFoundError):
        await images.resolve("mayfly.local/app:latest")
    with pytest.raises(ImageNotFoundError):
        await images.forget("app")
    assert (await images.prepare(resolved)).digest == first.image.digest
