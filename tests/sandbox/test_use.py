"""What memory is used, as both versions of control groups say it."""

import os
from pathlib import Path

import pytest

from mayfly.sandbox import use


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anon 4096\nfile 8192\nkernel_stack 16384\ninactive_anon 1\n", 4096),
        ("cache 8192\nrss 4096\nrss_huge 0\nmapped_file 1\ntotal_rss 5000\n", 4096),
        ("file 8192\n", 0),
        ("", 0),
    ],
)
def test_memory_of_the_processes_own_is_read_again_and_again(tmp_path: Path, text: str, expected: int) -> None:
    (tmp_path / "memory.stat").write_text(text)
    descriptor = os.open(tmp_path / "memory.stat", os.O_RDONLY)
    try:
        assert [use.read(descriptor), use.read(descriptor)] == [expected] * 2
    finally:
        os.close(descriptor)


def test_a_descriptor_that_is_gone_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        use.read(-1)
