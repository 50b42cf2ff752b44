"""Which interpreter serves a runtime identifier, and what is said when none may."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.sandbox import choice
from mayfly.sandbox.api import Interpreter, Language, SandboxUnavailableError

NUMBERS = st.sets(st.integers(6, 30), min_size=1)
LANGUAGES: list[tuple[Language, str]] = [("python", "python3.{}"), ("nodejs", "nodejs{}.x")]


def one(language: Language, number: int, patch: int = 1) -> Interpreter:
    version = (3, number, patch) if language == "python" else (number, 2, patch)
    return Interpreter(version, Path(f"/{language}{number}.{patch}"), Path("/"), language)


@pytest.mark.parametrize(("language", "identifier"), LANGUAGES)
@given(numbers=NUMBERS, substitute=st.booleans())
def test_an_installed_version_is_used_without_a_warning(
    language: Language, identifier: str, numbers: set[int], substitute: bool
) -> None:
    found = [one(language, number) for number in numbers]
    for number in numbers:
        chosen = choice.choose(identifier.format(number), found, substitute=substitute)
        assert chosen == (one(language, number), None)


@pytest.mark.parametrize(("language", "identifier"), LANGUAGES)
@given(numbers=NUMBERS, wanted=st.integers(6, 30))
def test_the_nearest_version_of_the_language_is_used_with_a_warning(
    language: Language, identifier: str, numbers: set[int], wanted: int
) -> None:
    other: Language = "nodejs" if language == "python" else "python"
    found = [one(language, number) for number in numbers] + [one(other, number) for number in range(6, 31)]
    interpreter, warning = choice.choose(identifier.format(wanted), found)
    assert interpreter.language == language
    distance = abs(choice.number(interpreter) - wanted)
    assert distance == min(abs(number - wanted) for number in numbers)
    assert (warning is None) == (distance == 0)


def test_of_two_equally_near_versions_the_newer_is_used() -> None:
    chosen = choice.choose("python3.11", [one("python", 10), one("python", 12, 4)])
    assert chosen.interpreter == one("python", 12, 4)
    assert chosen.warning == "python3.11 is not installed on this machine; Python 3.12.4 runs its functions instead"
    assert choice.choose("nodejs22.x", [one("nodejs", 20), one("nodejs", 24)]).interpreter == one("nodejs", 24)


def test_of_several_patches_of_a_version_the_latest_is_used() -> None:
    found = [one("nodejs", 22, 3), one("nodejs", 22, 20), one("nodejs", 22, 4)]
    assert choice.choose("nodejs22.x", found).interpreter == one("nodejs", 22, 20)


@pytest.mark.parametrize(
    ("identifier", "found", "said"),
    [
        ("nodejs22.x", [one("nodejs", 20)], "the nearest is Node.js 20.2.1, and substitution is switched off"),
        ("nodejs22.x", [one("nodejs", 20)], "mayfly runtime install nodejs22.x"),
        ("python3.12", [one("python", 10)], "uv python install 3.12"),
        ("python3.9", [one("python", 10)], "functions run on Python 3.10 and later alone"),
    ],
)
def test_without_substitution_another_version_is_an_error_that_says_what_to_install(
    identifier: str, found: list[Interpreter], said: str
) -> None:
    with pytest.raises(SandboxUnavailableError) as refused:
        choice.choose(identifier, found, substitute=False)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "runtime", ["nodejs22", "nodejs", "ruby3", "python2.7", "python3", "python3.11 ", "", "provided.al2023"]
)
def test_what_is_no_managed_runtime_is_refused(runtime: str) -> None:
    with pytest.raises(SandboxUnavailableError, match="not a managed runtime"):
        choice.choose(runtime, [one("python", 11)])


def test_a_machine_without_the_language_is_told_what_to_install() -> None:
    with pytest.raises(SandboxUnavailableError, match="install python3"):
        choice.choose("python3.11", [one("nodejs", 22)])
    with pytest.raises(SandboxUnavailableError, match="mayfly runtime install nodejs22"):
        choice.choose("nodejs22.x", [one("python", 11)])


@pytest.mark.parametrize(("numbers", "served"), [((11, 17, 21), 17), ((11, 21, 25), 21), ((8, 17), 17)])
def test_a_newer_java_serves_where_the_version_is_not_installed(numbers: tuple[int, ...], served: int) -> None:
    found = [one("java", number) for number in numbers]
    chosen, warning = choice.choose("java17", found)

    assert choice.number(chosen) == served
    assert (warning is None) == (served == 17)
    assert choice.choose("java17.al2023", found)[0] == chosen


def test_an_older_java_never_serves_and_the_package_to_install_is_named() -> None:
    with pytest.raises(SandboxUnavailableError, match=r"no JDK of version 21 or later.*openjdk-21-jdk-headless"):
        choice.choose("java21", [one("java", 17), one("python", 11)])
