"""Is this zip one that may be unpacked? Decided from its directory alone, before a byte is written.

A deployment package comes from outside and is hostile until checked. What passes here has only plain files, directories
and symbolic links, each at most once, all below one root whichever way links are followed, with a known total size.

Links. A link's target may climb (`..`) only at its beginning and only as far as the root, and no entry lies below a
link. So a link starts in a real directory, climbs through real directories, and then only descends; whatever other
links it passes through obey the same rule, and none leads out.
"""

import stat
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from mayfly.errors import CallerError

MAX_ENTRIES = 100_000
MAX_LINK = 1024  # bytes of a link's target
_MAX_PATH = 3072  # leaves room for the root that it is unpacked under
_MAX_NAME = 255
_MAX_DEFLATE_RATIO = 1032  # the format cannot reach more
_ENCRYPTED = 0x1
_END = struct.Struct("<4s4H2LH")  # end of central directory
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")


class BadArchiveError(CallerError):
    """Not a zip, or not one that is safe to unpack. The message says why, for the server's log."""


class ArchiveTooLargeError(CallerError):
    """Unpacked it would exceed the limit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to create below the root."""

    path: tuple[str, ...]
    info: zipfile.ZipInfo
    kind: int  # stat.S_IFREG, S_IFDIR or S_IFLNK
    executable: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What unpacking will create, directories before what is in them."""

    entries: tuple[Entry, ...]
    size: int  # bytes of all files


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """The opened zip; `BadArchiveError`. The number of entries is checked before the directory is read."""
    try:
        count = _declared_entries(file)
        if count > MAX_ENTRIES:
            raise BadArchiveError(f"{count} entries are more than {MAX_ENTRIES}")
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, struct.error, OSError, ValueError, NotImplementedError) as error:
        raise BadArchiveError(f"not a zip: {error}") from error


def _declared_entries(file: BinaryIO) -> int:
    """Entries as the end of the directory announces them. 0 where there is none: `zipfile` will complain."""
    size = file.seek(0, 2)
    tail_start = max(0, size - (_END.size + 0xFFFF))
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        return 0
    record = _END.unpack_from(tail, at)
    entries, directory_bytes = int(record[4]), int(record[5])
    locator = tail_start + at - _END64_LOCATOR.size
    if locator >= 0:
        file.seek(locator)
        signature, _, end64, _ = _END64_LOCATOR.unpack(file.read(_END64_LOCATOR.size))
        if signature == b"PK\x06\x07":
            file.seek(end64)
            record64 = _END64.unpack(file.read(_END64.size))
            entries, directory_bytes = int(record64[7]), int(record64[8])
    file.seek(0)
    return max(entries, directory_bytes // (46 + _MAX_PATH))


def plan(archive: zipfile.ZipFile, limit: int) -> Plan:
    """What to create; `BadArchiveError`, or `ArchiveTooLargeError` above `limit` bytes."""
    infos = archive.infolist()
    if len(infos) > MAX_ENTRIES:
        raise BadArchiveError(f"{len(infos)} entries are more than {MAX_ENTRIES}")
    _refuse_overlaps(infos)
    entries = [_entry(info) for info in infos]
    size = sum(entry.info.file_size for entry in entries)
    if size > limit:
        raise ArchiveTooLargeError(f"{size} bytes unpacked are more than {limit}")
    _refuse_collisions(entries)
    return Plan(tuple(sorted(entries, key=lambda entry: (len(entry.path), entry.path))), size)


def _entry(info: zipfile.ZipInfo) -> Entry:
    parts = parts_of(info.filename)
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode) or (stat.S_IFDIR if info.is_dir() else stat.S_IFREG)
    if info.is_dir() and kind != stat.S_IFDIR:
        raise BadArchiveError(f"{info.filename!r} is a directory by name and something else by mode")
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise BadArchiveError(f"{info.filename!r} is neither file nor directory nor link")
    if info.flag_bits & _ENCRYPTED:
        raise BadArchiveError(f"{info.filename!r} is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadArchiveError(f"{info.filename!r} is compressed by method {info.compress_type}")
    if info.file_size > info.compress_size * _MAX_DEFLATE_RATIO:
        raise BadArchiveError(f"{info.filename!r} claims to unpack to more than the format allows")
    if kind == stat.S_IFLNK and info.file_size > MAX_LINK:
        raise BadArchiveError(f"the link {info.filename!r} is too long")
    return Entry(parts, info, kind, bool(mode & 0o111))


def parts_of(name: str) -> tuple[str, ...]:
    """The path that a name means below the root; `BadArchiveError`."""
    if not name or name.startswith("/") or "\0" in name or len(name.encode("utf-8", "surrogatepass")) > _MAX_PATH:
        raise BadArchiveError(f"{name[:80]!r} is no path inside a package")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or any(len(part.encode("utf-8", "surrogatepass")) > _MAX_NAME for part in parts):
        raise BadArchiveError(f"{name[:80]!r} leaves the package")
    return parts


def _refuse_overlaps(infos: Iterable[zipfile.ZipInfo]) -> None:
    """Entries that share compressed bytes are how a small zip unpacks to petabytes."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise BadArchiveError(f"{info.filename!r} overlaps another entry")
        end = info.header_offset + 30 + info.compress_size


def _refuse_collisions(entries: Iterable[Entry]) -> None:
    """Every path once; below a path only when it is a directory."""
    solid: set[tuple[str, ...]] = set()
    directories: set[tuple[str, ...]] = set()
    for entry in entries:
        if entry.kind == stat.S_IFDIR:
            directories.add(entry.path)
        elif entry.path in solid or not entry.path:
            raise BadArchiveError(f"{entry.info.filename!r} appears twice")
        else:
            solid.add(entry.path)
        directories.update(entry.path[:depth] for depth in range(1, len(entry.path)))
    if clash := solid & directories:
        raise BadArchiveError(f"{'/'.join(min(clash))!r} is a directory and something else")


def check_link(path: tuple[str, ...], target: str) -> None:
    """`BadArchiveError` unless the link at `path` stays below the root; the module's text says why this is enough."""
    parts = target.split("/")
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    if not target or target.startswith("/") or "\0" in target or climbs > len(path) - 1 or ".." in parts[climbs:]:
        raise BadArchiveError(f"the link {'/'.join(path)!r} leads out of the package")
