"""What `samconfig.toml` beside a template says of its deployment: the file that `sam deploy --guided` leaves.

Read are the stack's name, parameters and tags, of one environment (`default` unless another is named): what stands
for `deploy`, before what stands for all commands. The rest concerns SAM's own command line, or has no meaning here
(regions, buckets for artifacts, capabilities, confirmations).
"""

import re
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mayfly.errors import CallerError

FILE = "samconfig.toml"
DEFAULT = "default"
_BUILT = ((".mayfly", "build"), (".aws-sam", "build"))
_PAIRED = re.compile(r"ParameterKey=(?P<key>[^,]+),ParameterValue=(?P<value>.*)", re.DOTALL)


class SamConfigError(CallerError):
    """The file cannot be used, or a pair cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the file says."""

    stack_name: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def read(template: Path, environment: str | None) -> Told:
    """What is told of the template in the file `template`; of what `mayfly build` left, what is told of that which was
    built. Nothing where there is no file. `environment`: None is the usual one, which need not be there.
    `SamConfigError`."""
    folder = application(template)
    path = folder / FILE
    if not path.is_file():
        if environment is not None:
            raise SamConfigError(f"there is no {FILE} in {folder}")
        return Told()
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise SamConfigError(f"{path} is not TOML: {error}") from error
    told = whole.get(environment or DEFAULT)
    if not isinstance(told, dict):
        if environment is not None:
            raise SamConfigError(f"{path} has no environment {environment}")
        return Told()
    return _told(path, {**_parameters(told, "global"), **_parameters(told, "deploy")})


def application(template: Path) -> Path:
    """The folder of the application that a template is of, which may have been built in it."""
    folder = template.resolve().parent
    return folder.parent.parent if folder.parts[-2:] in _BUILT else folder


def _parameters(told: Mapping[str, Any], command: str) -> dict[str, Any]:
    section = told.get(command)
    found = section.get("parameters") if isinstance(section, dict) else None
    return found if isinstance(found, dict) else {}


def _told(path: Path, found: Mapping[str, Any]) -> Told:
    name = found.get("stack_name")
    if name is not None and not isinstance(name, str):
        raise SamConfigError(f"stack_name of {path} has to be text")
    try:
        return Told(name or None, pairs(_words(found.get("parameter_overrides"))), pairs(_words(found.get("tags"))))
    except SamConfigError as error:
        raise SamConfigError(f"{path}: {error}") from error


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}={item}" for key, item in value.items()]
    if isinstance(value, list):
        return [str(item) for item in value]
    return [] if value is None else [str(value)]


def pairs(words: Iterable[str]) -> dict[str, str]:
    """Keys and values as SAM has them: `A=1 B="two words"` in one word or several, or
    `ParameterKey=A,ParameterValue=1`; `SamConfigError`."""
    found = {}
    for word in words:
        try:
            parts = shlex.split(word)
        except ValueError as error:
            raise SamConfigError(f"{word!r} cannot be read: {error}") from error
        for part in parts:
            match = _PAIRED.fullmatch(part)
            key, equals, value = (match["key"], "=", match["value"]) if match else part.partition("=")
            if not key or not equals:
                raise SamConfigError(f"{part!r} is not KEY=VALUE")
            found[key] = value
    return found
