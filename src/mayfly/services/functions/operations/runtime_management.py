"""When a function's runtime is updated: GetRuntimeManagementConfig and PutRuntimeManagementConfig.

A machine has one version of each runtime, which its operator updates; `runtimes.runtime_version_arn` names it.
So the modes are kept and shown, all of them mean that version, and another one cannot be asked for.
"""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import faults
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Alias, Function, RuntimeUpdates, Subject, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.runtimes import runtime_version_arn
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        GetRuntimeManagementConfigRequestTypeDef,
        PutRuntimeManagementConfigRequestTypeDef,
    )


class RuntimeManagementOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor) -> None:
        self._home = home
        self._editor = editor

    @operation("PutRuntimeManagementConfig")
    async def put(
        self, context: RequestContext, params: "PutRuntimeManagementConfigRequestTypeDef"
    ) -> dict[str, object]:
        reference = self._reference(params["FunctionName"], params.get("Qualifier"))
        mode, asked = params["UpdateRuntimeOn"], params.get("RuntimeVersionArn")
        if (mode == "Manual") != (asked is not None):
            raise faults.invalid_parameter(
                "RuntimeVersionArn goes with the UpdateRuntimeOn mode Manual, and with no other."
            )

        def change(subject: Subject, tx: Tx) -> Subject:
            assert not isinstance(subject, Alias)
            runtime = _runtime(subject)
            present = runtime_version_arn(runtime, self._home.region)
            if asked not in (None, present):
                raise faults.invalid_parameter(
                    f"The runtime version {asked} is not on this machine. What it has of {runtime} is {present}."
                )
            return msgspec.structs.replace(subject, runtime_updates=RuntimeUpdates(mode, runtime))

        changed = await self._editor.change_subject(reference, change, missing=self._home.no_such(reference))
        assert not isinstance(changed, Alias)
        return self._shown(reference, changed)

    @operation("GetRuntimeManagementConfig")
    async def get(
        self, context: RequestContext, params: "GetRuntimeManagementConfigRequestTypeDef"
    ) -> dict[str, object]:
        reference = self._reference(params["FunctionName"], params.get("Qualifier"))
        found = await self._editor.resolve(reference, self._home.no_such(reference))
        _runtime(found.runs)
        return self._shown(reference, found.runs)

    def _reference(self, name: str, qualifier: str | None) -> Reference:
        reference = self._home.parse(name, qualifier)
        if reference.names_alias:
            raise faults.invalid_parameter("Runtimes are managed for $LATEST and published versions, not for aliases.")
        return reference

    def _shown(self, reference: Reference, of: Function | Version) -> dict[str, object]:
        updates, runtime = of.runtime_updates, of.configuration.runtime
        mode = updates.mode if updates is not None and updates.runtime == runtime else "Auto"
        manual = {"RuntimeVersionArn": runtime_version_arn(runtime, self._home.region)} if mode == "Manual" else {}
        arn = self._home.arn(reference.name, reference.qualifier)
        return {"UpdateRuntimeOn": mode, "FunctionArn": arn, **manual}


def _runtime(of: Function | Version) -> str:
    if of.configuration.package == "Image":
        raise faults.invalid_parameter("Functions of container images bring their runtime; there is none to manage.")
    return of.configuration.runtime
