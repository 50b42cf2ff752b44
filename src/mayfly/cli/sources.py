"""Where the code of a template lies and what it depends on, where a build is told more than the template says.

SAM's command line takes these for a build: a folder that places count from (`base_dir`), a manifest that stands in for
each function's own (`manifest`), and values of parameters, which properties of functions may refer to.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NAMED = re.compile(r"\$\{([^!}][^}]*)\}")
# What decides about a package, and may be an expression.
_DECIDING = ("CodeUri", "Code", "ContentUri", "Content", "Runtime", "Handler", "Architectures", "PackageType")


@dataclass(frozen=True, slots=True)
class Sources:
    """What a build is told beside the template. `root` is the folder of the outermost template, for which `base`
    stands in: what a nested template names counts from as far below `base` as that lies below `root`."""

    base: Path | None = None
    root: Path | None = None
    manifest: Path | None = None  # a package.json where it ends in .json, otherwise a requirements.txt
    values: Mapping[str, str] = field(default_factory=dict)

    def folder(self, folder: Path) -> Path:
        """What places of code count from in a template whose file is in `folder`."""
        if self.base is None or self.root is None:
            return folder
        return (self.base / os.path.relpath(folder.resolve(), self.root.resolve())).resolve()

    def known(self, template: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        """Properties of a function, or of a layer, with the values of what decides about its package, where that
        refers to parameters, to their defaults, or to a mapping by them. What cannot be told stays as it is."""
        return {
            name: self._value(template, value) if name in _DECIDING else value for name, value in properties.items()
        }

    def _value(self, template: Mapping[str, Any], value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(template, item) for item in value]
        if not isinstance(value, dict) or len(value) != 1:
            return value
        ((function, given),) = value.items()
        if function == "Ref" and isinstance(given, str):
            found = self._parameter(template, given)
            return value if found is None else found
        if function == "Fn::Sub" and isinstance(given, str):
            told = {name: self._parameter(template, name) for name in _NAMED.findall(given)}
            return value if None in told.values() else _NAMED.sub(lambda match: str(told[match[1]]), given)
        if function == "Fn::FindInMap" and isinstance(given, list) and len(given) == 3:
            return _mapped(template, [self._value(template, item) for item in given], value)
        return value

    def _parameter(self, template: Mapping[str, Any], name: str) -> str | None:
        declared = template.get("Parameters")
        parameter = declared.get(name) if isinstance(declared, dict) else None
        if not isinstance(parameter, dict):
            return None
        found = self.values.get(name, parameter.get("Default"))
        return str(found) if isinstance(found, str | int | float) else None


def _mapped(template: Mapping[str, Any], keys: list[Any], otherwise: Any) -> Any:
    found: Any = template.get("Mappings")
    for key in keys:
        if not isinstance(found, dict) or not isinstance(key, str):
            return otherwise
        found = found.get(key)
    return otherwise if found is None else found


ALL_BESIDE = Sources()
