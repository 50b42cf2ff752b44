"""Finding the JDKs of a machine."""

from pathlib import Path

from mayfly.sandbox import jdks


def install(home: Path, version: str, *programs: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    for name in programs or ("java", "javac"):
        (home / "bin" / name).touch()
    return home


def find(tmp_path: Path, path: str = "", java_home: str = "") -> list[tuple[int, int, int]]:
    found = jdks.find(path, java_home, [str(tmp_path / "jvm")], [str(tmp_path)[1:]])
    return [one.version for one in found]


def test_those_that_compile_are_found_newest_first_one_a_version(tmp_path: Path) -> None:
    install(tmp_path / "jvm" / "a", "17.0.15")
    install(tmp_path / "jvm" / "b", "21")
    install(tmp_path / "jvm" / "c", "25.0.1", "java")
    install(tmp_path / "jvm" / "d", "1.8.0_402")
    (tmp_path / "jvm" / "link").symlink_to("a")

    assert find(tmp_path) == [(21, 0, 0), (17, 0, 15)]


def test_that_of_java_home_comes_before_that_of_the_path_and_both_before_others(tmp_path: Path) -> None:
    install(tmp_path / "jvm" / "a", "17.0.15")
    on_path = install(tmp_path / "path", "17.0.3")
    home = install(tmp_path / "home", "17.0.1")

    assert find(tmp_path, f"relative:{on_path}/bin") == [(17, 0, 3)]
    assert find(tmp_path, f"{on_path}/bin", str(home)) == [(17, 0, 1)]


def test_what_functions_would_not_see_does_not_count(tmp_path: Path) -> None:
    home = install(tmp_path / "elsewhere", "17.0.1")

    assert jdks.find(f"{home}/bin", "", [], ["usr"]) == ()
