"""Layers that are laid over one another."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.functions.layers.merging import add_bytecode, merge


def layer(at: Path, **files: str) -> Path:
    """A directory with these files; `__` in a name stands for a slash, a text that begins with -> for a link."""
    for name, text in files.items():
        path = at / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("->"):
            path.symlink_to(text[2:])
        else:
            path.write_text(text)
    at.mkdir(exist_ok=True)
    return at


def shown(root: Path) -> dict[str, str]:
    found = {}
    for directory, names, files in os.walk(root):
        for name in (*files, *names):
            path = Path(directory, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = f"->{os.readlink(path)}"
            elif path.is_file():
                found[str(path.relative_to(root))] = path.read_text()
    return found


def test_the_last_one_of_several_files_is_seen_and_directories_are_put_together(tmp_path: Path) -> None:
    one = layer(tmp_path / "1", lib__a="1", lib__b="1", only="1")
    two = layer(tmp_path / "2", lib__a="2", lib__c="2")
    merge([one, two], tmp_path / "root")
    assert shown(tmp_path / "root") == {"lib/a": "2", "lib/b": "1", "lib/c": "2", "only": "1"}
    assert (one / "lib/a").read_text() == "1"


def test_files_are_the_layers_own(tmp_path: Path) -> None:
    one = layer(tmp_path / "1", a="1")
    merge([one, layer(tmp_path / "2")], tmp_path / "root")
    assert (tmp_path / "root/a").samefile(one / "a")


def test_a_directory_takes_the_place_of_a_link_and_a_link_that_of_a_directory(tmp_path: Path) -> None:
    one = layer(tmp_path / "1", real__x="1", python="->real", tools__a="1")
    two = layer(tmp_path / "2", python__y="2", tools="->real")
    merge([one, two], tmp_path / "root")
    assert shown(tmp_path / "root") == {"real/x": "1", "python/y": "2", "tools": "->real"}


def test_bytecode_of_a_source_that_another_layer_has_replaced_is_not_taken_over(tmp_path: Path) -> None:
    one = layer(tmp_path / "1", python__m_py="1", python__n_py="1")
    for name in "mn":
        layer(tmp_path / "1/python/__pycache__", **{f"{name}.cpython-311.pyc": f"of {name} 1"})
    two = layer(tmp_path / "2", python__m_py="2")
    merge([one, two], tmp_path / "root")
    assert shown(tmp_path / "root") == {
        "python/m.py": "2",
        "python/n.py": "1",
        "python/__pycache__/n.cpython-311.pyc": "of n 1",
    }


def test_bytecode_that_a_layer_gets_later_is_added_to_what_was_put_together_before(tmp_path: Path) -> None:
    one = layer(tmp_path / "1", python__m_py="1", python__n_py="1")
    two = layer(tmp_path / "2", python__m_py="2")
    merge([one, two], tmp_path / "root")
    for at in (one, two):
        for name in "mn":
            layer(at / "python/__pycache__", **{f"{name}.cpython-311.pyc": f"of {name} {at.name}"})
    for _ in range(2):
        add_bytecode([one, two], tmp_path / "root")
    cache = shown(tmp_path / "root/python/__pycache__")
    assert cache == {"m.cpython-311.pyc": "of m 2", "n.cpython-311.pyc": "of n 1"}


NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "b/a", "c/a/b"])


@given(st.lists(st.dictionaries(NAMES, st.integers(0, 9), max_size=4), min_size=1, max_size=5))
def test_every_path_shows_what_the_last_layer_that_says_something_of_it_says(
    tmp_path_factory: pytest.TempPathFactory, given_layers: list[dict[str, int]]
) -> None:
    top = tmp_path_factory.mktemp("layers")
    expected: dict[str, str] = {}
    directories = []
    for number, files in enumerate(given_layers):
        plain = {name: text for name, text in files.items() if not any(o.startswith(f"{name}/") for o in files)}
        at = top / str(number)
        at.mkdir()
        for name, text in plain.items():
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            (at / name).write_text(str(text))
            gone = [o for o in expected if o.startswith(f"{name}/") or name.startswith(f"{o}/")]
            for other in gone:
                del expected[other]
            expected[name] = str(text)
        directories.append(at)
    merge(directories, top / "root")
    assert shown(top / "root") == expected
