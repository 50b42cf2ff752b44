"""What `samconfig.toml` beside a template says of the commands that build and bring it: SAM's configuration file.

One environment of it counts (`default` unless another is named): what stands for a command, before what stands for all
commands. Which of SAM's parameters mean something here is told by those who ask (`intents`); the rest concerns SAM's
own command line, or AWS: regions, profiles, buckets for artifacts, capabilities, confirmations, containers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mayfly.cli import sam_pairs
from mayfly.cli.sam_pairs import SamConfigError

FILES = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")  # the first that is there counts
DEFAULT, GLOBAL = "default", "global"
_BUILT = ((".mayfly", "build"), (".aws-sam", "build"))
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which file counts, and which environment of it, as options say."""

    file: Path | None = None
    environment: str | None = None


USUAL = Choice()


@dataclass(frozen=True, slots=True)
class Section:
    """What a file says for one command; nothing where there is none."""

    path: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A text, None where there is none or it is empty; `SamConfigError`."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "text")
        return value or None

    def flag(self, name: str) -> bool | None:
        """Whether it is so, None where nothing is said; `SamConfigError`."""
        value = self.values.get(name)
        if isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
            return value.lower() in _TRUE
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def place(self, name: str) -> Path | None:
        """A path, counted from where the command runs, as SAM does it; `SamConfigError`."""
        text = self.text(name)
        return None if text is None else Path(text).absolute()

    def texts(self, name: str) -> list[str]:
        """Texts, given as a list or as one text; `SamConfigError`."""
        value = self.values.get(name)
        found = value if isinstance(value, list) else [] if value in (None, "") else [value]
        if any(not isinstance(one, str) for one in found):
            raise self._wrong(name, "text, or a list of it")
        return list(found)

    def pairs(self, name: str) -> dict[str, str]:
        """Keys and values, in any of SAM's forms; `SamConfigError`."""
        try:
            return sam_pairs.pairs(self.values.get(name))
        except SamConfigError as error:
            raise SamConfigError(f"{name} of {self.path}: {error}") from error

    def refuse(self, why: Mapping[str, str]) -> None:
        """`SamConfigError` where the file asks for one of the parameters in `why`, which cannot be had here."""
        for name, reason in why.items():
            if self.values.get(name) not in (None, False, "", [], {}, *_FALSE):
                raise SamConfigError(
                    f"{name} of {self.path} cannot be had here: {reason}. Take it out, or name an environment without "
                    "it by --config-env"
                )

    def _wrong(self, name: str, wanted: str) -> SamConfigError:
        return SamConfigError(f"{name} of {self.path} has to be {wanted}, not {self.values[name]!r}")


def read(folder: Path, choice: Choice, *commands: str) -> Section:
    """What the file in the application's `folder` says for all commands, and for `commands`, of which a later one
    counts before those that stand before it. Nothing where there is no file, or it lacks the usual environment, unless
    that is what was chosen: `SamConfigError`."""
    path = _file(folder, choice)
    if path is None:
        return Section()
    whole = _parsed(path)
    told = whole.get(choice.environment or DEFAULT)
    if not isinstance(told, dict):
        if choice.environment is not None:
            raise SamConfigError(f"{path} has no environment {choice.environment}{_those_of(whole)}")
        return Section(path)
    values: dict[str, Any] = {}
    for command in (GLOBAL, *commands):
        section = told.get(command)
        found = section.get("parameters") if isinstance(section, dict) else None
        values |= found if isinstance(found, dict) else {}
    return Section(path, values)


def application(template: Path) -> Path:
    """The folder of the application that a template is of, which may have been built in it."""
    folder = template.resolve().parent
    return folder.parent.parent if folder.parts[-2:] in _BUILT else folder


def _file(folder: Path, choice: Choice) -> Path | None:
    if choice.file is not None:
        path = folder / choice.file
        if path.suffix not in (".toml", ".yaml", ".yml"):
            raise SamConfigError(f"{path} is no configuration file: one ends in .toml, .yaml or .yml")
        if not path.exists() or path.is_dir():
            raise SamConfigError(f"there is no {path}")
        return path
    found = next((folder / name for name in FILES if (folder / name).exists()), None)
    if found is None and choice.environment is not None:
        raise SamConfigError(f"there is no {FILES[0]} in {folder}")
    return found


def _parsed(path: Path) -> dict[str, Any]:
    whole = sam_pairs.parsed(path)
    if not isinstance(whole, dict):
        raise SamConfigError(f"{path} has to hold environments, such as [{DEFAULT}.deploy.parameters]")
    return whole


def _those_of(whole: Mapping[str, Any]) -> str:
    names = [str(name) for name, value in whole.items() if isinstance(value, dict)]
    return f"; it has {', '.join(names)}" if names else ""
