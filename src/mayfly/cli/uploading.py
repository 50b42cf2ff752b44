"""A template with all that it names by its place on this machine uploaded and referred to, and the templates that it
names likewise: what `aws cloudformation package` does, with dependencies installed.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from mayfly.cli import beside, templates
from mayfly.cli.connection import Connection
from mayfly.cli.keeping import Kept
from mayfly.cli.public_layers import PublicLayers
from mayfly.cli.sources import Sources
from mayfly.cli.templates import Packagers, Say, TemplateFileError


class Uploader:
    """For one deployment."""

    def __init__(self, connection: Connection, packagers: Packagers, kept: Kept, say: Say, sources: Sources) -> None:
        self._connection = connection
        self._sources = sources
        self._kept = kept
        self._packagers = packagers
        self._say = say
        self._bucket: str | None = None

    def uploaded(self, body: dict[str, Any], template: Path, outer: tuple[Path, ...] = ()) -> dict[str, Any]:
        """The template whose file is `template`, which the templates `outer` name. `MayflyError`, botocore's errors."""
        template = template.resolve()
        if template in outer:
            raise TemplateFileError(f"{template} names itself as a nested template")
        body = PublicLayers(self._kept, self._say).replaced(body)
        body = beside.mapped(body, template.parent, lambda place: self._replaced(place, (*outer, template)))
        codes = list(templates.local_code(body, template.parent, self._sources))
        if not codes:
            return body
        return templates.with_uploads(body, codes, self._s3(), self._artifacts(), self._packagers, self._say)

    def _replaced(self, place: beside.Place, outer: tuple[Path, ...]) -> object:
        if place.kind == "template":
            inner = self.uploaded(templates.load(place.path), place.path, outer)
            key = self._put(json.dumps(inner).encode(), "template")
            # As the platform understands it wherever it is: another address of the platform is no other template.
            return f"https://s3.{self._connection.region}.amazonaws.com/{self._artifacts()}/{key}"
        key = self._put(place.path.read_bytes(), place.path.suffix.lstrip(".") or "txt")
        if place.form == "parts":
            return {"Bucket": self._artifacts(), "Key": key}
        return f"s3://{self._artifacts()}/{key}"

    def _put(self, data: bytes, suffix: str) -> str:
        key = f"{hashlib.sha256(data).hexdigest()}.{suffix}"
        if not templates.exists(self._s3(), self._artifacts(), key):
            self._s3().put_object(Bucket=self._artifacts(), Key=key, Body=data)
        return key

    def _s3(self) -> Any:
        return self._connection.client("s3")

    def _artifacts(self) -> str:
        if self._bucket is None:
            self._bucket = templates.artifact_bucket(self._s3(), self._connection.account, self._connection.region)
        return self._bucket
