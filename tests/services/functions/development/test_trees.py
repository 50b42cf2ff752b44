"""Copies of packages, and what is changed in them."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from mayfly.services.functions.code.archive import ArchiveTooLargeError, BadArchiveError
from mayfly.services.functions.development.trees import amend, clone


def archive(files: dict[str, str], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
        for name, target in (links or {}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            made.writestr(entry, target)
    return buffer.getvalue()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "package"
    (root / "lib" / "__pycache__").mkdir(parents=True)
    (root / "app.py").write_text("old")
    (root / "lib" / "one.py").write_text("one")
    (root / "lib" / "__pycache__" / "one.cpython-311.pyc").write_text("compiled")
    (root / "lib" / "__pycache__" / "one_more.cpython-311.pyc").write_text("compiled")
    (root / "link").symlink_to("lib")
    return root


@pytest.fixture
def tree(package: Path, tmp_path: Path) -> Path:
    clone(package, tmp_path / "tree")
    return tmp_path / "tree"


def test_a_copy_shares_its_files_and_keeps_links(package: Path, tree: Path) -> None:
    assert (tree / "lib" / "one.py").stat().st_ino == (package / "lib" / "one.py").stat().st_ino
    assert os.readlink(tree / "link") == "lib"


def test_a_changed_file_is_another_one_and_the_package_keeps_its_own(package: Path, tree: Path) -> None:
    grown = amend(tree, archive({"app.py": "newer", "more/two.py": "2"}), (), 1000)
    assert ((tree / "app.py").read_text(), (tree / "more" / "two.py").read_text()) == ("newer", "2")
    assert (package / "app.py").read_text() == "old"
    assert grown == len("newer") - len("old") + 1


def test_bytecode_goes_with_its_module_because_nobody_would_check_it(tree: Path) -> None:
    amend(tree, archive({"lib/one.py": "1"}), (), 1000)
    assert [path.name for path in (tree / "lib" / "__pycache__").iterdir()] == ["one_more.cpython-311.pyc"]


def test_a_removed_file_takes_empty_directories_with_it(tree: Path) -> None:
    amend(tree, archive({"a/b/c.txt": "c"}), (), 1000)
    assert amend(tree, b"", ("a/b/c.txt",), 1000) == -1
    assert not (tree / "a").exists()


def test_what_is_not_there_cannot_be_removed_and_that_is_no_error(tree: Path) -> None:
    assert amend(tree, b"", ("nothing.py", "app.py/below", "lib/none/at/all"), 1000) == 0
    assert (tree / "app.py").exists()


def test_nothing_is_written_or_removed_through_a_link(package: Path, tree: Path) -> None:
    amend(tree, b"", ("link/one.py",), 1000)
    assert (tree / "lib" / "one.py").exists()
    amend(tree, archive({"link/one.py": "evil"}), (), 1000)
    assert not (tree / "link").is_symlink()
    assert (tree / "lib" / "one.py").read_text() == "one"


def test_a_file_may_become_a_directory_and_a_directory_a_file(tree: Path) -> None:
    amend(tree, archive({"app.py/inner.txt": "i", "lib": "l"}), (), 1000)
    assert (tree / "app.py" / "inner.txt").read_text() == "i"
    assert (tree / "lib").read_text() == "l"


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/passwd", ""])
def test_a_name_that_leaves_the_tree_is_refused(tree: Path, name: str) -> None:
    with pytest.raises(BadArchiveError):
        amend(tree, b"", (name,), 1000)


@pytest.mark.parametrize("target", ["/etc", "../..", "lib/../.."])
def test_a_link_that_leads_out_is_refused(tree: Path, target: str) -> None:
    with pytest.raises(BadArchiveError):
        amend(tree, archive({}, {"lib/out": target}), (), 1000)


def test_what_is_no_zip_is_refused(tree: Path) -> None:
    with pytest.raises(BadArchiveError):
        amend(tree, b"nothing of the kind", (), 1000)


def test_more_than_the_limit_is_refused(tree: Path) -> None:
    with pytest.raises(ArchiveTooLargeError):
        amend(tree, archive({"a": "x" * 11}), (), 10)
