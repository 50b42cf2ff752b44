"""Packages and images that try to write, or to be read, outside of where they are unpacked."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from mayfly.images.errors import BrokenImageError
from mayfly.images.service import Images
from mayfly.services.functions.code.archive import ArchiveTooLargeError, BadArchiveError, open_archive, plan
from mayfly.services.functions.code.unpack import unpack
from tests.images.builder import Layer, LayoutBuilder, entry, folder, hard_link, link, tar
from tests.images.conftest import images, layout, open_images

__all__ = ["images", "layout", "open_images"]

LIMIT = 1 << 20


def packed(*entries: tuple[str, int, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


FILE, LINK, FOLDER = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755
ZIPS = {
    "a path that climbs": packed(("../outside", FILE, b"x")),
    "a path from the root": packed(("/outside", FILE, b"x")),
    "a path that climbs further in": packed(("a/b/../../../outside", FILE, b"x")),
    "a link to the machine's files": packed(("passwd", LINK, b"/etc/passwd")),
    "a link that climbs": packed(("a/passwd", LINK, b"../../outside")),
    "a link to nothing": packed(("a", LINK, b"")),
    "a file below a link": packed(("d", LINK, b"."), ("d/outside", FILE, b"x")),
    "a file in the place of a link": packed(("d", LINK, b"e"), ("./d", FILE, b"x")),
    "a link in the place of a directory": packed(("d/a", FILE, b"x"), ("d", LINK, b"/")),
    "a device": packed(("disk", stat.S_IFBLK | 0o666, b"")),
    "a pipe": packed(("pipe", stat.S_IFIFO | 0o666, b"")),
    "a socket": packed(("socket", stat.S_IFSOCK | 0o666, b"")),
    "one name twice": packed(("a", FILE, b"1"), ("./a", FILE, b"2")),
    "a name that a zero ends at once": packed(("name", FILE, b"")).replace(b"name", b"\0ame"),
}


@pytest.mark.parametrize("data", ZIPS.values(), ids=ZIPS.keys())
def test_a_package_writes_nothing_outside(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadArchiveError), open_archive(io.BytesIO(data)) as archive:
        unpack(archive, plan(archive, LIMIT), tmp_path / "code")
    assert {path.name for path in tmp_path.iterdir()} <= {"code"}


def test_a_path_as_windows_writes_it_is_a_name_like_any_other(tmp_path: Path) -> None:
    with open_archive(io.BytesIO(packed(("..\\outside", FILE, b"x")))) as archive:
        unpack(archive, plan(archive, LIMIT), tmp_path / "code")
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*outside")] == [Path("code", "..\\outside")]


def test_links_of_a_package_that_lead_to_links_stay_inside(tmp_path: Path) -> None:
    """Each is harmless by itself; together they would climb."""
    data = packed(("a/b/c", FILE, b"x"), ("l", LINK, b"a/b"), ("m", LINK, b"l/../../.."))
    with pytest.raises(BadArchiveError, match="'m'"), open_archive(io.BytesIO(data)) as archive:
        unpack(archive, plan(archive, LIMIT), tmp_path / "code")


def test_a_package_that_swells_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    data = packed(("zeros", FILE, bytes(64 << 20)))
    assert len(data) < LIMIT
    with pytest.raises(ArchiveTooLargeError), open_archive(io.BytesIO(data)) as archive:
        unpack(archive, plan(archive, LIMIT), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_became_a_link_meanwhile_is_not_followed(tmp_path: Path) -> None:
    """Nobody else may write there; and should somebody, no existing name is written to."""
    outside = tmp_path / "outside"
    outside.write_text("theirs")
    data = packed(("a", FILE, b"mine"))

    class Racing(type(tmp_path)):  # type: ignore[misc]  # whichever this system's is
        def mkdir(self, *arguments: object, **more: object) -> None:
            super().mkdir(*arguments, **more)
            os.symlink(outside, self / "a")

    with pytest.raises(FileExistsError), open_archive(io.BytesIO(data)) as archive:
        unpack(archive, plan(archive, LIMIT), Racing(tmp_path / "code"))
    assert outside.read_text() == "theirs"


LAYERS = {
    "a path that climbs": tar(("../../outside", b"x")),
    "a hard link that climbs": tar(hard_link("passwd", "../../../../../../etc/passwd")),
    "a hard link from the root": tar(hard_link("passwd", "/etc/passwd")),
    "a hard link to a link that leads out": tar(
        link("d", "/etc"), hard_link("passwd", "d/passwd"), ("passwd", b"overwritten")
    ),
    "a marker that climbs": tar(("a/.wh...", b"")),
}


def planted(below: Path, name: str) -> list[Path]:
    """Files of that name."""
    return [path for path in below.rglob(name) if not path.is_symlink()]


@pytest.mark.parametrize("content", LAYERS.values(), ids=LAYERS.keys())
async def test_a_layer_of_an_image_reaches_nothing_outside(
    images: Images, layout: LayoutBuilder, content: bytes, tmp_path: Path
) -> None:
    before = os.stat("/etc/passwd")
    layout.tag("v1", layout.image((Layer(content),)))
    resolved = await images.resolve(f"oci:{layout.root}:v1")
    with pytest.raises(BrokenImageError):
        await images.prepare(resolved)
    now = os.stat("/etc/passwd")
    assert (now.st_nlink, now.st_size, now.st_mtime_ns) == (before.st_nlink, before.st_size, before.st_mtime_ns)
    assert planted(tmp_path, "outside") == []


CONTAINED = {
    "a link that climbs": ("planted", tar(link("escape", "../../../../../.."), ("escape/planted", b"x"))),
    "a link from the root": ("tmp/planted", tar(link("escape", "/tmp"), ("escape/planted", b"x"))),
    "a link through a link": (
        "planted",
        tar(folder("a"), link("a/up", ".."), link("b", "a/up/../.."), ("b/planted", b"x")),
    ),
}


@pytest.mark.parametrize(("where", "content"), CONTAINED.values(), ids=CONTAINED.keys())
async def test_links_of_a_layer_lead_no_further_than_the_images_own_root(
    images: Images, layout: LayoutBuilder, where: str, content: bytes, tmp_path: Path
) -> None:
    layout.tag("v1", layout.image((Layer(content),)))
    resolved = await images.resolve(f"oci:{layout.root}:v1")
    await images.prepare(resolved)
    root = images.root(resolved.digest)
    found = planted(tmp_path, "planted")
    assert all(path.is_relative_to(tmp_path / "images") for path in found)
    assert [path for path in found if path.is_relative_to(root)] == [root / where]


async def test_set_user_id_files_and_devices_of_an_image_are_neither(images: Images, layout: LayoutBuilder) -> None:
    content = tar((entry("su", mode=0o6755), b"#!"), entry("disk", b"4"), entry("memory", b"3"))
    layout.tag("v1", layout.image((Layer(content),)))
    resolved = await images.resolve(f"oci:{layout.root}:v1")
    await images.prepare(resolved)
    root = images.root(resolved.digest)
    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o755
    assert not (root / "disk").exists()
    assert not (root / "memory").exists()
