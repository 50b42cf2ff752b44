"""Which zips may be unpacked, and what becomes of them."""

import io
import os
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mayfly.services.functions.code.archive import (
    ArchiveTooLargeError,
    BadArchiveError,
    check_link,
    open_archive,
    plan,
)
from mayfly.services.functions.code.unpack import unpack

LIMIT = 1 << 20


def entry(name: str, mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = method
    return info


def packed(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, data in entries:
            archive.writestr(info, data)
    return buffer.getvalue()


def unpacked(data: bytes, root: Path, limit: int = LIMIT) -> Path:
    with open_archive(io.BytesIO(data)) as archive:
        unpack(archive, plan(archive, limit), root)
    return root


def test_files_directories_and_links_are_unpacked_readable_by_everybody(tmp_path: Path) -> None:
    data = packed(
        (entry("pkg/mod.py", stat.S_IFREG | 0o600), b"x = 1"),
        (entry("bin/run", stat.S_IFREG | 0o700), b"#!/bin/sh"),
        (entry("empty/", stat.S_IFDIR | 0o700), b""),
        (entry("pkg/link.py", stat.S_IFLNK | 0o777), b"../pkg/mod.py"),
        (entry("./dos.txt"), b"no mode at all"),
    )
    root = unpacked(data, tmp_path / "code")
    assert (root / "pkg/link.py").read_text() == "x = 1"
    assert stat.S_IMODE((root / "pkg/mod.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((root / "bin/run").stat().st_mode) == 0o755
    assert stat.S_IMODE((root / "dos.txt").stat().st_mode) == 0o644
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, root / "pkg", root / "empty")} == {0o755}


def test_a_setuid_bit_is_dropped(tmp_path: Path) -> None:
    root = unpacked(packed((entry("su", stat.S_IFREG | 0o6777), b"")), tmp_path / "code")
    assert stat.S_IMODE((root / "su").stat().st_mode) == 0o755


BAD = {
    "nothing": b"",
    "text": b"PK but not a zip",
    "a cut zip": packed(("a", b"x" * 100))[:-10],
    "an absolute path": packed(("/etc/passwd", b"")),
    "a path that climbs": packed(("a/../../b", b"")),
    "the root itself": packed(("./", b""), (".", b"")),
    "a path twice": packed(("a", b"1"), ("b/../a".replace("b/../", "./"), b"2")),
    "a file as a directory": packed(("a", b"1"), ("a/b", b"2")),
    "a link as a directory": packed((entry("a", stat.S_IFLNK | 0o777), b"b"), ("b/x", b""), ("a/y", b"")),
    "a link to the outside": packed((entry("a", stat.S_IFLNK | 0o777), b"../outside")),
    "an absolute link": packed((entry("a", stat.S_IFLNK | 0o777), b"/etc/passwd")),
    "a device": packed((entry("a", stat.S_IFCHR | 0o666), b"")),
    "a pipe": packed((entry("a", stat.S_IFIFO | 0o666), b"")),
    "a long name": packed(("x" * 256, b"")),
    "another compression": packed((entry("a", method=zipfile.ZIP_LZMA), b"x")),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_is_not_a_safe_zip_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadArchiveError):
        unpacked(data, tmp_path / "code")
    assert not (tmp_path / "outside").exists()


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("a", b"secret")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + offset
        data[at : at + 2] = struct.pack("<H", 0x1)
    with pytest.raises(BadArchiveError, match="encrypted"):
        unpacked(bytes(data), tmp_path / "code")


def test_bytes_that_do_not_match_their_checksum_are_refused(tmp_path: Path) -> None:
    data = bytearray(packed((entry("a", method=zipfile.ZIP_STORED), b"AAAA")))
    data[data.index(b"AAAA")] = ord("B")
    with pytest.raises(BadArchiveError, match="cannot be unpacked"):
        unpacked(bytes(data), tmp_path / "code")


def test_what_unpacks_to_more_than_the_limit_is_too_large_before_anything_is_written(tmp_path: Path) -> None:
    data = packed(("zeros", b"\0" * (LIMIT + 1)))
    with pytest.raises(ArchiveTooLargeError):
        unpacked(data, tmp_path / "code")
    assert not (tmp_path / "code").exists()


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("a", b"x" * 1000), ("b", b"y" * 1000)))
    directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[directory + 42 : directory + 46] = struct.pack("<I", 0)  # b's data is a's
    with pytest.raises(BadArchiveError, match="overlaps"):
        unpacked(bytes(data), tmp_path / "code")


def test_a_size_that_the_format_cannot_reach_is_refused(tmp_path: Path) -> None:
    data = bytearray(packed(("a", b"x" * 10)))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 900_000)
    with pytest.raises(BadArchiveError, match="claims"):
        unpacked(bytes(data), tmp_path / "code")


def test_a_directory_with_too_many_entries_is_refused_before_it_is_read() -> None:
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 500_000_000, 0, 0)
    with pytest.raises(BadArchiveError, match="more than"):
        open_archive(io.BytesIO(end))


@given(st.binary(max_size=400))
def test_no_bytes_make_opening_fail_otherwise(data: bytes) -> None:
    try:
        with open_archive(io.BytesIO(data)) as archive:
            plan(archive, LIMIT)
    except (BadArchiveError, ArchiveTooLargeError):
        pass


@settings(deadline=None)  # it writes through to the disk
@given(st.data())
def test_no_damage_makes_unpacking_fail_otherwise_or_write_outside(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(packed(("a/b.py", b"x" * 50), (entry("l", stat.S_IFLNK | 0o777), b"a/b.py")))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    base = tmp_path_factory.mktemp("damage")
    with suppress(BadArchiveError, ArchiveTooLargeError):
        unpacked(bytes(whole), base / "code")
    assert os.listdir(base) in ([], ["code"])


NAMES = st.sampled_from(["a", "b", "..", ".", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=5).map("/".join)


@settings(deadline=None)  # it writes through to the disk
@given(st.dictionaries(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple), PATHS, max_size=4))
def test_links_that_pass_the_check_never_lead_out(
    tmp_path_factory: pytest.TempPathFactory, links: dict[tuple[str, ...], str]
) -> None:
    base = tmp_path_factory.mktemp("links")
    root = base / "code"
    entries = []
    for path, target in links.items():
        try:
            check_link(path, target)
        except BadArchiveError:
            continue
        entries.append((entry("/".join(path), stat.S_IFLNK | 0o777), target.encode()))
    try:
        unpacked(packed(*entries), root)
    except BadArchiveError:
        return
    for info, _ in entries:
        try:
            real = root.joinpath(*PurePosixPath(info.filename).parts).resolve(strict=False)
        except (OSError, RuntimeError):
            continue  # a circle of links leads nowhere
        assert real.is_relative_to(root.resolve())
