"""The arithmetic of memory that several processes share."""

import os

from benchmarks.memory import Mapping, alone_kb, alone_mb, mappings

SMAPS = """\
55d0c0000000-55d0c0002000 r-xp 00001000 08:01 1234                       /usr/bin/python3
Size:                  8 kB
Rss:                   8 kB
Pss:                   2 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
7f0000000000-7f0000100000 rw-p 00000000 00:00 0                          [heap]
Size:               1024 kB
Rss:                 100 kB
Pss:                  60 kB
Anonymous:           100 kB
VmFlags: rd wr mr mw me ac
"""


def test_mappings_are_read_from_the_kernels_account() -> None:
    assert mappings(SMAPS) == [Mapping(("08:01", "1234", "00001000"), 8, 2, 0), Mapping(None, 100, 60, 100)]


def test_pages_of_a_file_count_once_and_anonymous_ones_in_parts() -> None:
    file = ("08:01", "1", "0")
    one = [Mapping(file, 100, 10, 0), Mapping(None, 50, 25, 50)]
    other = [Mapping(file, 80, 8, 0), Mapping(None, 50, 25, 50)]
    assert alone_kb([one, other]) == 100 + 25 + 25


def test_what_was_written_to_in_a_files_mapping_is_no_page_of_the_file() -> None:
    assert alone_kb([[Mapping(("08:01", "1", "0"), 100, 60, 40)]]) == 60 + 40


def test_a_process_takes_some_memory_and_one_that_is_gone_none() -> None:
    assert alone_mb([os.getpid()]) > 1
    assert alone_mb([1 << 30]) == 0
