"""Code of functions and layers beside the templates of an export.

Code that was published is the package itself, so that its checksum is the same where it is deployed: a version is known
by that. Any other is a folder, to be read and worked on.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mayfly.cli.artifacts import Artifacts
from mayfly.cli.connection import Connection
from mayfly.cli.exports.references import Template
from mayfly.cli.exports.things import Thing

_NONE: Mapping[str, Thing] = MappingProxyType({})
_MEMBERS = {"AWS::Lambda::Function": "Code", "AWS::Lambda::LayerVersion": "Content"}


class Packages:
    """Of one export. Each is written once, whatever templates name it."""

    def __init__(self, connection: Connection, target: Path, things: Mapping[str, Thing]) -> None:
        """`things` by logical id."""
        self._functions = connection.client("lambda")
        self._target = target
        self._things = things
        self._artifacts = Artifacts(connection, target)
        self._published = {(thing.series, thing.state.sha256) for thing in things.values() if thing.state is not None}
        self._places: dict[tuple[str, str], str] = {}  # by logical id and checksum, relative to the folder

    @property
    def written(self) -> int:
        """How many there are."""
        return self._artifacts.written

    def placed(self, template: Template, folder: Path | None = None, versions: Mapping[str, Thing] = _NONE) -> Template:
        """The template, which is to lie in `folder` (None: that of the export), with places in place of code.
        `versions`: by the logical id of a function, the version whose code it has. `PlatformError`."""
        resources = dict(template.resources)
        for id_, resource in resources.items():
            thing = self._things[id_]
            if not thing.address:
                continue
            place = self._version(id_, versions[id_]) if id_ in versions else self._latest(id_, thing)
            said = os.path.relpath(self._target / place, folder or self._target)
            properties: dict[str, Any] = resource["Properties"]
            resources[id_] = {**resource, "Properties": {**properties, _MEMBERS[thing.type]: said}}
        return Template(resources, template.parameters, template.notes)

    def _latest(self, id_: str, thing: Thing) -> str:
        known = (id_, thing.sha256)
        if known not in self._places:
            if (thing.ref, thing.sha256) in self._published:
                self._places[known] = f"{id_}.zip"
                self._artifacts.kept(id_, thing.address, self._target / f"{id_}.zip")
            else:
                self._places[known] = id_
                self._artifacts.unpacked(id_, thing.address)
        return self._places[known]

    def _version(self, id_: str, version: Thing) -> str:
        assert version.state is not None
        known = (id_, version.state.sha256)
        if known not in self._places:
            code = self._functions.get_function(FunctionName=version.series, Qualifier=str(version.number))["Code"]
            place = f"versions/{id_}-{version.number}.zip"
            self._artifacts.kept(id_, code["Location"], self._target / place)
            self._places[known] = place
        return self._places[known]
