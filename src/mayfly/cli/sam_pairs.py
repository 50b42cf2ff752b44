"""Keys and values as SAM's command line and its configuration files have them: `parameter_overrides`, `tags`.

In words, `A=1 B="two words"` or `ParameterKey=A,ParameterValue=1`; in files, also as an object, whose lists become
texts with commas, and which may `$include` other files; and as `file://parameters.yaml`, which holds any of these.
"""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import yaml

from mayfly.errors import CallerError

_PAIRED = re.compile(r"ParameterKey=(?P<key>[^,]+),ParameterValue=(?P<value>.*)", re.DOTALL)
_FILE, _INCLUDE = "file://", "$include"


class SamConfigError(CallerError):
    """The file cannot be used, or a pair cannot be read; the message says why."""


def pairs(told: object) -> dict[str, str]:
    """What is told in any of the forms; later keys win. `SamConfigError`."""
    return _pairs(told, Path(), ())


def parsed(path: Path) -> Any:
    """What a file of the kind that its name says holds: TOML or YAML. `SamConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text) or {}
    except OSError as error:
        raise SamConfigError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, yaml.YAMLError, UnicodeError) as error:
        raise SamConfigError(f"{path} is not {'TOML' if path.suffix == '.toml' else 'YAML'}: {error}") from error


def _pairs(told: object, folder: Path, outer: tuple[Path, ...]) -> dict[str, str]:
    if told is None or told == "":
        return {}
    if isinstance(told, str):
        return _included(told, folder, outer) if told.startswith(_FILE) else _words(told)
    if isinstance(told, list | tuple):
        found: dict[str, str] = {}
        for item in told:
            found |= _pairs(item, folder, outer)
        return found
    if isinstance(told, dict):
        return _members(told, folder, outer)
    raise SamConfigError(f"{told!r} is not KEY=VALUE")


def _members(told: dict[Any, Any], folder: Path, outer: tuple[Path, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in told.items():
        if key == _INCLUDE:
            found |= _pairs(value, folder, outer)
        elif isinstance(value, list):
            found[str(key)] = ",".join(str(one).strip() for one in value if one not in (None, ""))
        else:
            found[str(key)] = "" if value is None else str(value)
    return found


def _included(told: str, folder: Path, outer: tuple[Path, ...]) -> dict[str, str]:
    path = (folder / told.removeprefix(_FILE)).resolve()
    if path.suffix not in (".toml", ".yaml", ".yml"):
        raise SamConfigError(f"{told} has to end in .toml, .yaml or .yml")
    if path in outer:
        raise SamConfigError(f"{path} includes itself")
    return _pairs(parsed(path), path.parent, (*outer, path))


def _words(told: str) -> dict[str, str]:
    try:
        parts = shlex.split(told)
    except ValueError as error:
        raise SamConfigError(f"{told!r} cannot be read: {error}") from error
    found = {}
    for part in parts:
        match = _PAIRED.fullmatch(part)
        key, equals, value = (match["key"], "=", match["value"]) if match else part.partition("=")
        if not key or not equals:
            raise SamConfigError(f"{part!r} is not KEY=VALUE")
        found[key] = value
    return found
