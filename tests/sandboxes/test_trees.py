"""Files on their way: tar files of trees and back, and nothing that leaves the place they are for."""

import io
import os
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mayfly.sandbox.python import files
from mayfly.sandboxes.model import SandboxRefusedError
from mayfly.sandboxes.trees import from_tar, into_tar


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def joined(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


async def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub" / "empty").mkdir(parents=True)
    (source / "big").write_bytes(bytes(range(256)) * 5000)
    (source / "sub" / "run").write_text("#!/bin/sh\n")
    (source / "sub" / "run").chmod(0o755)
    (source / "link").symlink_to("../nowhere")
    os.utime(source / "big", (1_000_000_000, 1_000_000_000))
    os.mkfifo(source / "pipe")
    sent = io.BytesIO()
    files.send(sent, str(source))

    packed = await joined(into_tar(pieces(sent.getvalue())))
    tree = await joined(from_tar(pieces(packed)))
    assert files.receive(io.BytesIO(tree), str(tmp_path / "target")) == 0

    target = tmp_path / "target" / "source"
    assert (target / "big").read_bytes() == (source / "big").read_bytes()
    assert (target / "big").stat().st_mtime == 1_000_000_000
    assert (target / "sub" / "run").stat().st_mode & 0o777 == 0o755
    assert (target / "sub" / "empty").is_dir()
    assert (target / "link").readlink() == Path("../nowhere")
    assert not (target / "pipe").exists()


@pytest.mark.parametrize(
    "bad",
    [
        archive((member("../out"), b"x")),
        archive((member("/etc/passwd"), b"x")),
        archive((member("a/../../out"), b"x")),
        archive((member("device", tarfile.CHRTYPE), b"")),
        archive((member("hard", tarfile.LNKTYPE, "a"), b"")),
        b"no tar file at all",
        archive((member("cut"), b"x" * 5000))[:2000],
    ],
    ids=["up", "absolute", "up in between", "a device", "a hard link", "nonsense", "cut off"],
)
async def test_what_is_no_tree_is_refused(bad: bytes) -> None:
    with pytest.raises(SandboxRefusedError, match="no tar file"):
        await joined(from_tar(pieces(bad)))


async def test_what_the_other_side_could_not_read_is_said_in_its_words(tmp_path: Path) -> None:
    sent = io.BytesIO()
    files.send(sent, str(tmp_path / "missing"))
    with pytest.raises(SandboxRefusedError, match="No such file or directory"):
        await joined(into_tar(pieces(sent.getvalue())))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\x07" + bytes(22),
        files.HEADER.pack(files.FILE, 0o644, 0, 5000, 1),
        files.HEADER.pack(files.FILE, 0o644, 0, 1, 100) + b"a" + b"short",
        files.HEADER.pack(files.LINK, 0o777, 0, 1, 1 << 40) + b"a",
        files.HEADER.pack(files.DIRECTORY, 0o755, 0, 1, 9) + b"a",
    ],
)
async def test_a_sandbox_that_lies_about_its_files_is_not_believed(bad: bytes) -> None:
    with pytest.raises(SandboxRefusedError):
        await joined(into_tar(pieces(bad)))


async def test_a_reader_that_stops_early_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(3_000_000))
    sent = io.BytesIO()
    files.send(sent, str(tmp_path / "f"))
    before = len(os.listdir("/proc/self/fd"))
    parts = into_tar(pieces(sent.getvalue()))
    await anext(parts)
    await parts.aclose()
    assert len(os.listdir("/proc/self/fd")) == before
