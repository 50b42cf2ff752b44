"""The code of functions and layers, fetched and laid beside an exported template."""

import io
import re
import urllib.request
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mayfly.cli.beside import DOCUMENTS
from mayfly.cli.connection import Connection
from mayfly.errors import PlatformError

_FUNCTIONS = {"AWS::Serverless::Function": "CodeUri", "AWS::Lambda::Function": "Code"}
_LAYERS = {"AWS::Serverless::LayerVersion": "ContentUri", "AWS::Lambda::LayerVersion": "Content"}
_TIMEOUT_S = 300


class Artifacts:
    """Of one template."""

    def __init__(self, connection: Connection, target: Path) -> None:
        self._connection = connection
        self._target = target
        self.written = 0
        self.notes: list[str] = []

    def concern(self, resource: dict[str, Any]) -> bool:
        """Whether a resource may be made of something that lies outside of its template."""
        return resource.get("Type") in (*_FUNCTIONS, *_LAYERS, *DOCUMENTS)

    def beside(
        self,
        logical_id: str,
        resource: dict[str, Any],
        physical: str | None,
        shared: dict[str, Any],
        *,
        whole: bool = False,
    ) -> dict[str, Any]:
        """The resource with what it is made of in a folder, or file, called like it; `PlatformError`.

        `physical`: what it is called; None: it was not made, because of a condition. `shared`: the template's Globals.
        `whole`: a function's package stays as it is, because the template says its checksum.
        """
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in DOCUMENTS:
            return self._document(logical_id, resource)
        if kind in _LAYERS:
            return self._layer(logical_id, resource, physical)
        member = _FUNCTIONS[kind]
        code = properties.get(member, shared.get("Function", {}).get(member))
        if code is None or properties.get("PackageType") == "Image" or _inline(code):
            return resource
        if physical is None:
            return self._left(logical_id, resource, code)
        address = self._connection.client("lambda").get_function(FunctionName=physical)["Code"]["Location"]
        if whole:
            self.kept(logical_id, address, self._target / f"{logical_id}.zip")
            return _placed(resource, member, f"{logical_id}.zip")
        self.unpacked(logical_id, address)
        return _placed(resource, member, logical_id)

    def unpacked(self, logical_id: str, address: str) -> None:
        """Write the code of a function or a layer, which is at an address, to a folder called like it;
        `PlatformError`."""
        self._unpack(_fetched(logical_id, address), self._target / logical_id)

    def kept(self, logical_id: str, address: str, file: Path) -> None:
        """Write the code, which is at an address, as the package that it is; `PlatformError`."""
        file.write_bytes(_fetched(logical_id, address))
        self.written += 1

    def _layer(self, logical_id: str, resource: dict[str, Any], physical: str | None) -> dict[str, Any]:
        member = _LAYERS[resource["Type"]]
        content = resource.get("Properties", {}).get(member)
        # SAM gives the layer that it makes a name with a digest at its end, so it is found where its template puts it.
        place = _place(content)
        if place is None:
            return self._left(logical_id, resource, content)
        body = self._connection.client("s3").get_object(**place)["Body"].read()
        self._unpack(body, self._target / logical_id)
        return _placed(resource, member, logical_id)

    def _document(self, logical_id: str, resource: dict[str, Any]) -> dict[str, Any]:
        member, _ = DOCUMENTS[resource["Type"]]
        place = _place(resource.get("Properties", {}).get(member))
        if place is None:
            return resource
        body = self._connection.client("s3").get_object(**place)["Body"].read()
        name = f"{logical_id}{'.json' if body.lstrip()[:1] == b'{' else '.yaml'}"
        (self._target / name).write_bytes(body)
        return _placed(resource, member, name)

    def _unpack(self, body: bytes, folder: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            archive.extractall(folder)
            for entry in archive.infolist():
                if entry.external_attr >> 16 & 0o111 and not entry.is_dir():
                    (folder / entry.filename).chmod(0o755)
        self.written += 1

    def _left(self, logical_id: str, resource: dict[str, Any], content: object) -> dict[str, Any]:
        self.notes.append(f"what {logical_id} is made of stays where it is: {content}")
        return resource


def _fetched(logical_id: str, url: str) -> bytes:
    if urlsplit(url).scheme not in ("http", "https"):
        raise PlatformError(f"the code of {logical_id} is at {url}, which is no address")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply:  # noqa: S310  # our server
            body: bytes = reply.read()
    except OSError as error:
        raise PlatformError(f"the code of {logical_id} cannot be fetched: {error}") from error
    return body


def _inline(code: object) -> bool:
    return isinstance(code, dict) and ("ZipFile" in code or "ImageUri" in code)


def _placed(resource: dict[str, Any], member: str, place: str) -> dict[str, Any]:
    return {**resource, "Properties": {**resource.get("Properties", {}), member: place}}


def _place(content: object) -> dict[str, str] | None:
    """Bucket and key, as GetObject takes them, that a property names by values and not by functions."""
    if isinstance(content, str) and (match := re.fullmatch(r"s3://([^/]+)/(.+)", content)):
        return {"Bucket": match[1], "Key": match[2]}
    if isinstance(content, dict):
        bucket, key = content.get("S3Bucket", content.get("Bucket")), content.get("S3Key", content.get("Key"))
        version = content.get("S3ObjectVersion", content.get("Version"))
        if isinstance(bucket, str) and isinstance(key, str):
            return {"Bucket": bucket, "Key": key} | ({"VersionId": version} if isinstance(version, str) else {})
    return None
