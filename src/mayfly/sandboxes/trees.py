"""Files of a sandbox as tar files: what clients send and get, made of what the copier inside speaks, and back.

Both are streams, converted in a thread between two pipes; neither side is believed. A tar file's members keep below the
place they are copied to, because whoever unpacks them is inside the sandbox.
"""

import asyncio
import contextlib
import os
import shutil
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import BinaryIO

from mayfly.sandbox.python import files
from mayfly.sandboxes.model import SandboxRefusedError
from mayfly.sandboxes.pipes import CHUNK, read_some, write


async def into_tar(tree: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The tar file of a tree; `SandboxRefusedError` with the copier's own words when it could not read."""
    async with contextlib.aclosing(_through(tree, _to_tar)) as parts:
        async for part in parts:
            yield part


async def from_tar(archive: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """The tree of a tar file; `SandboxRefusedError` when it is none."""
    async with contextlib.aclosing(_through(archive, _to_tree)) as parts:
        async for part in parts:
            yield part


def _to_tar(source: BinaryIO, into: BinaryIO) -> None:
    try:
        with tarfile.open(fileobj=into, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for entry in files.entries(source):
                member = tarfile.TarInfo(entry.path)
                member.mode, member.mtime = entry.mode, entry.time
                if entry.kind == files.DIRECTORY:
                    member.type = tarfile.DIRTYPE
                elif entry.kind == files.LINK:
                    member.type, member.linkname = tarfile.SYMTYPE, entry.target
                else:
                    member.size = entry.size
                archive.addfile(member, source if member.isreg() else None)
    except files.RefusedError as error:
        raise SandboxRefusedError(str(error)) from error
    except (files.BadTreeError, tarfile.TarError, OSError) as error:
        raise SandboxRefusedError(f"the files could not be read: {error}") from error


def _to_tree(source: BinaryIO, into: BinaryIO) -> None:
    try:
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            for member in archive:
                _write_member(archive, member, into)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        files.fail(into, "what was sent is no tar file")
        raise SandboxRefusedError(f"what was sent is no tar file: {error}") from error
    into.write(files.HEADER.pack(files.END, 0, 0, 0, 0))


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, into: BinaryIO) -> None:
    name = os.path.normpath(member.name)
    if name.startswith(("/", "..")) or len(name) > files.MOST_PATH:
        raise tarfile.TarError(f"{member.name[:100]!r} is no place below where it is copied to")
    changed = min(max(int(member.mtime), 0), 2**40)
    if member.isdir():
        files.write_head(into, files.DIRECTORY, member.mode, changed, name, 0)
    elif member.issym():
        files.write_link(into, name, member.linkname)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        files.write_head(into, files.FILE, member.mode, changed, name, member.size)
        shutil.copyfileobj(content, into, CHUNK)
    else:
        raise tarfile.TarError(f"{member.name[:100]!r} is neither a file, a directory nor a symbolic link")


async def _through(
    source: AsyncIterator[bytes], convert: Callable[[BinaryIO, BinaryIO], None]
) -> AsyncGenerator[bytes]:
    """What `convert` writes when it reads what `source` yields; whatever it raises, after that."""
    read_in, write_in = os.pipe()
    read_out, write_out = os.pipe()
    for end in (write_in, read_out):
        os.set_blocking(end, False)

    def work() -> None:
        with open(read_in, "rb") as reader, open(write_out, "wb") as writer:
            convert(reader, writer)

    async def feed() -> None:
        try:
            async for part in source:
                await write(write_in, part)
        except BrokenPipeError:
            pass  # what was converted ended before
        finally:
            os.close(write_in)

    working = asyncio.get_running_loop().run_in_executor(None, work)
    feeding = asyncio.create_task(feed())
    try:
        while part := await read_some(read_out):
            yield part
        await feeding
        await working
    finally:
        os.close(read_out)
        feeding.cancel()
        await asyncio.gather(feeding, working, return_exceptions=True)
