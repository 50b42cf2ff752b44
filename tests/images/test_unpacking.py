"""What comes out of an image: its root file system, whatever its layers try."""

import os
import stat
import tarfile
from pathlib import Path

import pytest

from mayfly.images.errors import BrokenImageError, ImageError, ImageTooLargeError
from mayfly.images.service import Images
from tests.images.builder import Layer, LayoutBuilder, by_zstd, entry, folder, hard_link, layer, link, tar
from tests.images.conftest import OpenImages


async def unpacked(images: Images, layout: LayoutBuilder, *layers: Layer) -> Path:
    layout.tag("v1", layout.image(layers))
    resolved = await images.resolve(f"oci:{layout.root}:v1")
    await images.prepare(resolved)
    return images.root(resolved.digest)


def names(root: Path) -> set[str]:
    """Everything below `root` that the image brought."""
    added = {"dev", "proc", "sys", "tmp", "etc", "etc/hosts", "etc/resolv.conf"}
    return {str(path.relative_to(root)) for path in root.rglob("*")} - added


async def test_layers_lie_over_one_another(images: Images, layout: LayoutBuilder) -> None:
    root = await unpacked(
        images,
        layout,
        layer(folder("app"), ("app/old", b"1"), ("app/kept", b"2")),
        layer(("app/old", b"3"), ("app/new", b"4"), compressed=False),
    )
    assert {path.name: path.read_bytes() for path in (root / "app").iterdir()} == {
        "old": b"3",
        "kept": b"2",
        "new": b"4",
    }


async def test_a_layer_removes_what_lies_below_it(images: Images, layout: LayoutBuilder) -> None:
    root = await unpacked(
        images,
        layout,
        layer(("a/file", b""), ("a/other", b""), ("b/x", b""), ("c/deep/er", b"")),
        layer(("a/.wh.file", b""), ("b/.wh..wh..opq", b""), ("b/y", b""), (".wh.c", b"")),
    )
    assert names(root) == {"a", "a/other", "b", "b/y"}


async def test_a_layer_may_replace_what_it_removes(images: Images, layout: LayoutBuilder) -> None:
    root = await unpacked(
        images, layout, layer(("a/one", b""), ("b", b"")), layer((".wh.a", b""), ("a", b"file"), ("b/two", b""))
    )
    assert (root / "a").read_bytes() == b"file"
    assert names(root) == {"a", "b", "b/two"}


async def test_a_file_below_a_directory_that_is_a_link_goes_where_the_link_leads(
    images: Images, layout: LayoutBuilder
) -> None:
    root = await unpacked(
        images,
        layout,
        layer(folder("usr/lib"), link("lib", "usr/lib"), link("abs", "/usr/lib")),
        layer(("lib/one", b"1"), ("abs/two", b"2")),
    )
    assert (root / "lib").is_symlink()
    assert names(root) == {"usr", "usr/lib", "lib", "abs", "usr/lib/one", "usr/lib/two"}


async def test_links_of_a_layer_are_followed_inside_of_it(
    images: Images, layout: LayoutBuilder, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = await unpacked(
        images,
        layout,
        layer(link("away", str(outside)), ("away/x", b"x"), link("up", "../../../../.."), ("up/y", b"y")),
    )
    assert list(outside.iterdir()) == []
    assert (root / str(outside).lstrip("/") / "x").read_bytes() == b"x"
    assert (root / "y").read_bytes() == b"y"


async def test_modes_are_kept_without_set_uid_and_belong_to_one_unprivileged_user(
    images: Images, layout: LayoutBuilder
) -> None:
    program = entry("bin/su", mode=0o6755)
    program.uid = program.gid = 0
    secret = entry("secret", mode=0o600)
    secret.uid = 1000
    root = await unpacked(images, layout, layer((program, b"#!"), (secret, b"s"), folder("work", 0o2777)))
    assert stat.S_IMODE((root / "bin/su").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((root / "work").stat().st_mode) == 0o777
    owners = {path.lstat().st_uid for path in (root, *root.rglob("*"))}
    assert len(owners) == 1
    if os.geteuid() == 0:
        assert owners != {0}


async def test_devices_and_pipes_are_left_out(images: Images, layout: LayoutBuilder) -> None:
    device = entry("dev/sda", tarfile.BLKTYPE)
    device.devmajor, device.devminor = 8, 0
    root = await unpacked(images, layout, layer(device, entry("pipe", tarfile.FIFOTYPE), ("file", b"")))
    assert names(root) == {"file"}


async def test_hard_links_are_links_to_files_of_the_layer(images: Images, layout: LayoutBuilder) -> None:
    root = await unpacked(images, layout, layer(("a/one", b"1"), hard_link("two", "./a/one")))
    assert (root / "two").stat().st_ino == (root / "a/one").stat().st_ino


async def test_times_are_kept_because_compiled_python_compares_them(images: Images, layout: LayoutBuilder) -> None:
    root = await unpacked(images, layout, layer(("module.py", b"")))
    assert (root / "module.py").stat().st_mtime == 1_600_000_000


async def test_what_an_instance_mounts_finds_a_place(images: Images, layout: LayoutBuilder) -> None:
    root = await unpacked(images, layout, layer(link("tmp", "/var/tmp"), ("proc", b"a file"), link("dev", "nowhere")))
    for name in ("tmp", "proc", "dev", "sys"):
        assert (root / name).is_dir()
        assert not (root / name).is_symlink()
    assert "127.0.0.1 localhost" in (root / "etc/hosts").read_text()


async def test_images_share_the_files_of_layers_that_they_share(images: Images, layout: LayoutBuilder) -> None:
    base = layer(("base", b"shared"))
    roots = [await unpacked(images, layout, base, layer(("own", content))) for content in (b"1", b"2")]
    assert roots[0] != roots[1]
    assert (roots[0] / "base").stat().st_ino == (roots[1] / "base").stat().st_ino


HOSTILE = {
    "a path that leads out": tar(("../outside", b"")),
    "a path that leads out further in": tar(("a/../../outside", b"")),
    "a hard link to what is outside": tar(hard_link("passwd", "../../../../etc/passwd")),
    "a hard link to what is not there": tar(hard_link("passwd", "/etc/passwd")),
    "a hard link to a directory": tar(folder("d"), hard_link("e", "d")),
    "a file below a file": tar(("a", b""), ("a/b", b"")),
    "links in a circle": tar(link("a", "b"), link("b", "a"), ("a/c", b"")),
    "a marker of nothing": tar((".wh.", b"")),
    "a marker that leads out": tar(("a/.wh...", b"")),
    "a path that is too deep": tar(("a/" * 300 + "b", b"")),
    "a name that is too long": tar(("a" * 300, b"")),
    "something that is no tar file": b"this is no tar file " * 100,
    "a tar file that is cut short": tar(("a", b"x" * 5000))[:3000],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_layer_is_refused_that_has(
    images: Images, layout: LayoutBuilder, content: bytes, tmp_path: Path
) -> None:
    with pytest.raises(BrokenImageError):
        await unpacked(images, layout, Layer(content))
    assert list((tmp_path / "images" / "incoming").iterdir()) == []
    assert list((tmp_path / "images" / "layers").iterdir()) == []


async def test_a_layer_that_is_cut_short_is_refused(images: Images, layout: LayoutBuilder) -> None:
    whole = layer(("a", os.urandom(50_000)))
    whole.stored = whole.stored[: len(whole.stored) // 2]
    with pytest.raises(BrokenImageError, match="cut short"):
        await unpacked(images, layout, whole)


async def test_a_layer_that_is_another_one_than_the_configuration_says_is_refused(
    images: Images, layout: LayoutBuilder
) -> None:
    swapped = layer(("a", b"1"))
    swapped.stored = layer(("a", b"2")).stored
    with pytest.raises(BrokenImageError, match="not the one"):
        await unpacked(images, layout, swapped)


async def test_a_layer_that_unpacks_to_more_than_the_limit_is_refused(
    open_images: OpenImages, layout: LayoutBuilder
) -> None:
    images = await open_images(uncompressed_bytes=1 << 20)
    with pytest.raises(ImageTooLargeError):
        await unpacked(images, layout, layer(("zeros", bytes(3 << 20))))


async def test_layers_that_are_too_large_together_are_refused(open_images: OpenImages, layout: LayoutBuilder) -> None:
    images = await open_images(uncompressed_bytes=1 << 20)
    with pytest.raises(ImageTooLargeError):
        await unpacked(images, layout, *(layer((str(each), bytes(400_000 + each))) for each in range(3)))


async def test_a_layer_of_too_many_files_is_refused(open_images: OpenImages, layout: LayoutBuilder) -> None:
    images = await open_images(entries=10)
    with pytest.raises(ImageTooLargeError, match="more than 10"):
        await unpacked(images, layout, layer(*((str(each), b"") for each in range(11))))


async def test_a_header_that_claims_gigabytes_does_not_fill_the_memory(images: Images, layout: LayoutBuilder) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    with pytest.raises(ImageError):
        await unpacked(images, layout, Layer(info.tobuf() + bytes(1 << 20)))


async def test_layers_that_are_compressed_by_zstd_are_unpacked_beside_others(
    images: Images, layout: LayoutBuilder
) -> None:
    large = os.urandom(1 << 20) * 3
    root = await unpacked(
        images,
        layout,
        layer(("old", b"1"), ("kept", b"2")),
        by_zstd(layer((".wh.old", b""), ("large", large)), compression_level=9),
        by_zstd(layer(("far", large)), window_log=27, enable_long_distance_matching=1),
    )
    assert names(root) == {"kept", "large", "far"}
    assert (root / "large").read_bytes() == (root / "far").read_bytes() == large


async def test_a_layer_of_zstd_that_is_broken_is_refused(images: Images, layout: LayoutBuilder) -> None:
    whole = by_zstd(layer(("file", os.urandom(4096))))
    for broken in (whole.stored[:-100], whole.stored[:40] + b"x" * 40 + whole.stored[80:], whole.stored[:4]):
        whole.stored = broken
        with pytest.raises(BrokenImageError):
            await unpacked(images, layout, whole)


async def test_a_layer_of_zstd_that_unpacks_to_more_than_the_limit_is_refused(
    open_images: OpenImages, layout: LayoutBuilder
) -> None:
    images = await open_images(uncompressed_bytes=1 << 20)
    with pytest.raises(ImageTooLargeError):
        await unpacked(images, layout, by_zstd(layer(("zeros", bytes(64 << 20)))))
