"""Replacing a function's code."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import describe, faults, runtimes, validation
from mayfly.services.functions.inside import Inside
from mayfly.services.functions.layers import attaching
from mayfly.services.functions.model import Code, Function, Update
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.publishing import CREATING, Publishing, check_settled
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import FunctionConfigurationTypeDef, UpdateFunctionCodeRequestTypeDef


class CodeOperations:
    """Handlers; see the module."""

    def __init__(self, parts: Parts, inside: Inside) -> None:
        self._home = parts.home
        self._limits = parts.settings.limits
        self._store = parts.store
        self._editor = parts.stock.editor
        self._settler = parts.stock.settler
        self._sources = parts.code.sources
        self._preparing = parts.code.preparing
        self._signing = parts.signing
        self._choose = inside.choose
        self._host = inside.host

    @operation("UpdateFunctionCode")
    async def update(
        self, context: RequestContext, params: "UpdateFunctionCodeRequestTypeDef"
    ) -> "FunctionConfigurationTypeDef":
        name = self._home.latest(params["FunctionName"]).name
        current = await self._editor.find(name)
        validation.refuse_unbuilt(params)
        architecture = validation.architecture(
            params, current.configuration.architecture, self._host, current.configuration.runtime
        )
        _check_kind(params, current)
        check_settled(current, self._home)
        revision = params.get("RevisionId")
        if revision is not None and revision != current.revision_id:  # before an upload is unpacked for nothing
            raise faults.stale_revision("GetFunction/GetAlias")
        await self._store.read(lambda reader: self._signing.refuse(reader, name))
        async with self._sources.ingest(params) as code:
            attaching.check_size(code, current.configuration, self._limits)

            def change(function: Function, tx: Tx) -> Function:
                check_settled(function, self._home)
                attaching.check_size(code, function.configuration, self._limits)
                self._signing.deployed(tx, name)
                configuration = msgspec.structs.replace(function.configuration, architecture=architecture)
                function = msgspec.structs.replace(function, configuration=configuration)
                return _with_code(function, code)

            if params.get("DryRun"):
                shown = msgspec.structs.replace(current, code=code)
            else:
                if code.image is None:
                    choice = runtimes.choose(self._choose, current.configuration.runtime)
                    await self._preparing.arrived(code.sha256, choice, current.configuration, current.tags)
                publish = Publishing() if params.get("Publish") else None
                shown, version = await self._editor.change_and_publish(name, change, publish, revision=revision)
                if shown.awaited is not None:
                    self._settler.expect(name)
                if version is not None:
                    return describe.configuration(version, self._home, qualifier=version.label)
        return describe.configuration(shown, self._home)


def _check_kind(params: Mapping[str, Any], function: Function) -> None:
    """A function keeps the kind of package that it was created with."""
    image = function.configuration.package == "Image"
    if not image and params.get("ImageUri"):
        raise faults.invalid_parameter("Please don't provide ImageUri when updating a function with packageType Zip.")
    if image and not params.get("ImageUri"):
        raise faults.invalid_parameter("Please provide ImageUri when updating a function with packageType Image.")
    if image and any(member in params for member in ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")):
        raise faults.invalid_parameter("Please don't provide ZipFile or S3 parameters with ImageUri.")


def _with_code(function: Function, code: Code) -> Function:
    """A package is its code from now on, an image once it is ready; what has no code that runs starts over."""
    if code.image is None:
        return msgspec.structs.replace(function, code=code)
    if function.state == "Active":
        return msgspec.structs.replace(function, update=Update(code, reason=CREATING, reason_code="Creating"))
    return msgspec.structs.replace(
        function, code=code, update=None, state="Pending", state_reason=CREATING, state_reason_code="Creating"
    )
