"""Replacing a function's code."""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import describe, faults, runtimes, validation
from mayfly.services.functions.code.preparing import Preparing
from mayfly.services.functions.code.sources import CodeSources
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Architecture, Function
from mayfly.services.functions.names import Home
from mayfly.services.functions.publishing import Publishing
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import FunctionConfigurationTypeDef, UpdateFunctionCodeRequestTypeDef


class CodeOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        home: Home,
        editor: Editor,
        sources: CodeSources,
        choose: runtimes.Runtimes,
        host: Architecture,
        preparing: Preparing,
    ) -> None:
        self._home = home
        self._editor = editor
        self._sources = sources
        self._choose = choose
        self._host = host
        self._preparing = preparing

    @operation("UpdateFunctionCode")
    async def update(
        self, context: RequestContext, params: "UpdateFunctionCodeRequestTypeDef"
    ) -> "FunctionConfigurationTypeDef":
        name = self._home.latest(params["FunctionName"]).name
        current = await self._editor.find(name)
        validation.refuse_unbuilt(params)
        architecture = validation.architecture(params, current.configuration.architecture, self._host)
        if params.get("ImageUri"):
            raise faults.invalid_parameter(
                "Please don't provide ImageUri when updating a function with packageType Zip."
            )
        revision = params.get("RevisionId")
        if revision is not None and revision != current.revision_id:  # before an upload is unpacked for nothing
            raise faults.stale_revision("GetFunction/GetAlias")
        async with self._sources.ingest(params) as code:

            def change(function: Function, tx: Tx) -> Function:
                configuration = msgspec.structs.replace(function.configuration, architecture=architecture)
                return msgspec.structs.replace(function, code=code, configuration=configuration)

            if params.get("DryRun"):
                shown = msgspec.structs.replace(current, code=code)
            else:
                choice = runtimes.choose(self._choose, current.configuration.runtime)
                await self._preparing.arrived(code.sha256, choice, current.configuration.handler)
                publish = Publishing() if params.get("Publish") else None
                shown, version = await self._editor.change_and_publish(name, change, publish, revision=revision)
                if version is not None:
                    return describe.configuration(version, self._home, qualifier=version.label)
        return describe.configuration(shown, self._home)
