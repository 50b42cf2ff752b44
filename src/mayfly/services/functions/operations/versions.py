"""Published versions of a function."""

from typing import TYPE_CHECKING

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import describe, faults, version_repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import LATEST, Version
from mayfly.services.functions.names import Home
from mayfly.services.functions.publishing import Publisher, Publishing
from mayfly.services.functions.variables import Variables
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader, Store

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        FunctionConfigurationTypeDef,
        ListVersionsByFunctionRequestTypeDef,
        PublishVersionRequestTypeDef,
    )

# A page holds 50 at most, whatever MaxItems says.
_PAGE = 50


class VersionOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        home: Home,
        editor: Editor,
        publisher: Publisher,
        store: Store,
        limits: FunctionLimits,
        variables: Variables,
    ) -> None:
        self._variables = variables
        self._home = home
        self._editor = editor
        self._publisher = publisher
        self._store = store
        self._limits = limits

    @operation("PublishVersion")
    async def publish(
        self, context: RequestContext, params: "PublishVersionRequestTypeDef"
    ) -> "FunctionConfigurationTypeDef":
        name = self._home.latest(params["FunctionName"]).name
        if "PublishTo" in params:
            raise faults.not_built("PublishTo, which is for functions with a capacity provider")
        # An empty string asks for nothing, as the SDKs and the command line send it.
        wanted = Publishing(params.get("Description"), params.get("CodeSha256") or None)
        version = await self._publisher.publish_latest(
            name, wanted, params.get("RevisionId") or None, self._limits.code_storage_bytes
        )
        return describe.configuration(version, self._home, qualifier=version.label)

    @operation("ListVersionsByFunction")
    async def list(self, context: RequestContext, params: "ListVersionsByFunctionRequestTypeDef") -> dict[str, object]:
        """$LATEST first, then published versions by number. A marker is the number of the last one shown."""
        function = await self._editor.find(self._home.latest(params["FunctionName"]).name)
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        marker = params.get("Marker")
        if marker is not None and not (marker.isdecimal() and len(marker) < 19):
            raise faults.invalid_parameter("Invalid marker.")
        room = limit if marker is not None else limit - 1

        def body(reader: Reader) -> list[Version]:
            return version_repository.versions(reader, function.name, int(marker or 0), room + 1)

        found = [self._variables.opened(version) for version in await self._store.read(body)]
        shown = [] if marker is not None else [describe.listed(function, self._home, qualifier=LATEST)]
        shown += [describe.listed(each, self._home, qualifier=each.label) for each in found[:room]]
        if len(found) <= room:
            return {"Versions": shown}
        return {"Versions": shown, "NextMarker": found[room - 1].label if room else "0"}
