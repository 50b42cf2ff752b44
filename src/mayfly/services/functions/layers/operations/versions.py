"""Layers as resources: publish, get, list and delete versions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import faults, repository, runtimes
from mayfly.services.functions.code.links import CodeLinks
from mayfly.services.functions.code.sources import CodeSources
from mayfly.services.functions.describe import code_sha256, lambda_time
from mayfly.services.functions.layers import names
from mayfly.services.functions.layers import repository as layers
from mayfly.services.functions.layers.contents import LayerContents
from mayfly.services.functions.layers.model import LayerVersion
from mayfly.services.functions.model import Code
from mayfly.services.functions.names import Home
from mayfly.settings import FunctionLimits
from mayfly.store.api import Blobs, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteLayerVersionRequestTypeDef,
        GetLayerVersionByArnRequestTypeDef,
        GetLayerVersionRequestTypeDef,
        ListLayersRequestTypeDef,
        ListLayerVersionsRequestTypeDef,
        PublishLayerVersionRequestTypeDef,
    )

# A page holds 50 at most, which is also what the model allows to ask for.
_PAGE = 50


def blob_owner(name: str, number: int) -> str:
    """Who needs a content, as the blobs know it, as long as the version is there."""
    return f"layer:{name}:{number}"


class LayerOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        home: Home,
        store: Store,
        blobs: Blobs,
        sources: CodeSources,
        contents: LayerContents,
        links: CodeLinks,
        limits: FunctionLimits,
        clock: Clock,
    ) -> None:
        """`sources` takes zips into the library of `contents`."""
        self._home = home
        self._store = store
        self._blobs = blobs
        self._sources = sources
        self._contents = contents
        self._links = links
        self._limits = limits
        self._clock = clock

    @operation("PublishLayerVersion")
    async def publish(self, context: RequestContext, params: "PublishLayerVersionRequestTypeDef") -> dict[str, object]:
        name = names.layer_name(self._home, params["LayerName"], context, "PublishLayerVersion")
        _check_runtimes("compatibleRuntimes", params.get("CompatibleRuntimes", ()))
        async with self._sources.ingest(params["Content"]) as content:
            await self._contents.compile(content.sha256, params.get("CompatibleRuntimes", ()))
            extends = await self._contents.extends(content.sha256)
            version = await self._store.write(
                lambda tx: self._publish(tx, name, content, extends, params, context.once)
            )
        return self._described(version, context)

    def _publish(
        self,
        tx: Tx,
        name: str,
        content: Code,
        extends: bool,
        params: "PublishLayerVersionRequestTypeDef",
        token: str | None,
    ) -> LayerVersion:
        if token is not None and (made := layers.find_made(tx, token)) is not None:
            return made
        version = LayerVersion(
            name=name,
            number=layers.last_number(tx, name) + 1,
            content=content,
            created_at=self._clock.now(),
            description=params.get("Description", ""),
            license_info=params.get("LicenseInfo"),
            runtimes=tuple(params["CompatibleRuntimes"]) if "CompatibleRuntimes" in params else None,
            architectures=tuple(params["CompatibleArchitectures"]) if "CompatibleArchitectures" in params else None,
            extends=extends,
        )
        layers.insert(tx, version, token)
        self._blobs.link(tx, content.sha256, blob_owner(name, version.number))
        if repository.usage(tx)[1] > self._limits.code_storage_bytes:
            raise faults.code_storage_exceeded()
        return version

    @operation("GetLayerVersion")
    async def get(self, context: RequestContext, params: "GetLayerVersionRequestTypeDef") -> dict[str, object]:
        name = names.layer_name(self._home, params["LayerName"], context, "GetLayerVersion")
        check_number(params["VersionNumber"])
        return self._described(await self._find(name, params["VersionNumber"]), context)

    @operation("GetLayerVersionByArn")
    async def get_by_arn(
        self, context: RequestContext, params: "GetLayerVersionByArnRequestTypeDef"
    ) -> dict[str, object]:
        named = names.parse_version(params["Arn"])
        if named is None or named.region != self._home.region:
            raise faults.resource_not_found()
        if named.account != self._home.account:
            raise names.not_allowed(context, "GetLayerVersion", params["Arn"])
        check_number(named.number)
        return self._described(await self._find(named.layer, named.number), context)

    @operation("DeleteLayerVersion")
    async def delete(self, context: RequestContext, params: "DeleteLayerVersionRequestTypeDef") -> dict[str, object]:
        """One that is not there is as good as deleted. Functions that use it keep what it held."""
        name = names.layer_name(self._home, params["LayerName"], context, "DeleteLayerVersion")
        number = params["VersionNumber"]
        check_number(number)

        def body(tx: Tx) -> None:
            version = layers.find(tx, name, number)
            if version is not None:
                layers.delete(tx, version)
                self._blobs.unlink(tx, version.content.sha256, blob_owner(name, number))

        await self._store.write(body)
        return {}

    @operation("ListLayers")
    async def list_layers(self, context: RequestContext, params: "ListLayersRequestTypeDef") -> dict[str, object]:
        """A marker is the name of the last layer shown."""
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        matching = _matching(params)
        found = await self._store.read(
            lambda reader: layers.layers(reader, params.get("Marker", ""), limit + 1, *matching)
        )
        shown = [
            {
                "LayerName": version.name,
                "LayerArn": names.layer_arn(self._home, version.name),
                "LatestMatchingVersion": self._listed(version),
            }
            for version in found[:limit]
        ]
        return {"Layers": shown} | ({"NextMarker": found[limit - 1].name} if len(found) > limit else {})

    @operation("ListLayerVersions")
    async def list_versions(
        self, context: RequestContext, params: "ListLayerVersionsRequestTypeDef"
    ) -> dict[str, object]:
        """The newest first; a marker is the number of the last one shown."""
        name = names.layer_name(self._home, params["LayerName"], context, "ListLayerVersions")
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        marker = params.get("Marker")
        if marker is not None and not (marker.isascii() and marker.isdecimal() and len(marker) < 19):
            raise faults.invalid_parameter("Invalid marker.")
        before = int(marker) if marker is not None else None
        matching = _matching(params)
        found = await self._store.read(lambda reader: layers.versions(reader, name, before, limit + 1, *matching))
        shown = [self._listed(version) for version in found[:limit]]
        return {"LayerVersions": shown} | ({"NextMarker": str(found[limit - 1].number)} if len(found) > limit else {})

    async def _find(self, name: str, number: int) -> LayerVersion:
        version = await self._store.read(lambda reader: layers.find(reader, name, number))
        if version is None:
            raise faults.resource_not_found()
        return version

    def _listed(self, version: LayerVersion) -> dict[str, object]:
        """What lists show: all but the content."""
        shown: dict[str, Any] = {
            "LayerVersionArn": names.version_arn(self._home, version.name, version.number),
            "Version": version.number,
            "CreatedDate": lambda_time(version.created_at),
        }
        if version.description:
            shown["Description"] = version.description
        if version.license_info is not None:
            shown["LicenseInfo"] = version.license_info
        if version.runtimes is not None:
            shown["CompatibleRuntimes"] = list(version.runtimes)
        if version.architectures is not None:
            shown["CompatibleArchitectures"] = list(version.architectures)
        return shown

    def _described(self, version: LayerVersion, context: RequestContext) -> dict[str, object]:
        content = version.content
        location = self._links.link(context.endpoint, content.sha256, content.size)
        return {
            **self._listed(version),
            "Description": version.description,
            "LayerArn": names.layer_arn(self._home, version.name),
            "Content": {"Location": location, "CodeSha256": code_sha256(content), "CodeSize": content.size},
        }


def _matching(params: "ListLayersRequestTypeDef | ListLayerVersionsRequestTypeDef") -> tuple[str | None, str | None]:
    """The runtime and the architecture that a list is to be about; `ServiceError`."""
    runtime = params.get("CompatibleRuntime")
    if runtime is not None and runtime not in runtimes.KNOWN:
        raise _unknown("compatibleRuntime", runtime)
    return runtime, params.get("CompatibleArchitecture")


def _check_runtimes(member: str, named: Sequence[str]) -> None:
    """`ServiceError` unless all of them are identifiers that mean something."""
    if not set(named) <= set(runtimes.KNOWN):
        raise _unknown(member, f"[{', '.join(named)}]")


def _unknown(member: str, value: str) -> ServiceError:
    return faults.validation(
        f"Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: "
        f"[{', '.join(runtimes.KNOWN)}]"
    )


def check_number(number: int) -> None:
    """`ServiceError` for what no version can be called."""
    if number < 1:
        raise faults.invalid_parameter("Layer Version Cannot be less than 1")
