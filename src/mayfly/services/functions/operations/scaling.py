"""Scaling configurations: between how many and how many instances a published version has.

AWS has them for functions on managed instances of a capacity provider, and denies them to all others. Here the machine
is what a capacity provider is there, so every published version may have one. Unlike there, nothing is kept and nothing
is bounded unless somebody says so, and $LATEST.PUBLISHED is not known.
"""

from typing import TYPE_CHECKING

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import allowance, faults, tenancy, version_repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import Scaling, Subject, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.provisioning import Provisioner
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        FunctionScalingConfigTypeDef,
        GetFunctionScalingConfigRequestTypeDef,
        PutFunctionScalingConfigRequestTypeDef,
    )

_LATEST_PUBLISHED = "$LATEST.PUBLISHED"


class ScalingOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, editor: Editor, provisioner: Provisioner, limits: FunctionLimits) -> None:
        self._home = home
        self._editor = editor
        self._provisioner = provisioner
        self._limits = limits

    @operation("PutFunctionScalingConfig")
    async def put(self, context: RequestContext, params: "PutFunctionScalingConfigRequestTypeDef") -> dict[str, object]:
        """Without a configuration, or with an empty one, there is none any more."""
        reference = self._reference(params["FunctionName"], params["Qualifier"])
        wanted = _wanted(params.get("FunctionScalingConfig", {}))

        def change(subject: Subject, tx: Tx) -> Subject:
            assert isinstance(subject, Version)
            if wanted is not None:
                self._check(tx, subject, wanted)
            self._provisioner.touch(tx, reference.name)
            return msgspec.structs.replace(subject, scaling=wanted)

        version = await self._editor.change_subject(reference, change)
        assert isinstance(version, Version)
        return {"FunctionState": version.standing}

    @operation("GetFunctionScalingConfig")
    async def get(self, context: RequestContext, params: "GetFunctionScalingConfigRequestTypeDef") -> dict[str, object]:
        """What is applied differs from what was requested as long as instances are missing."""
        reference = self._reference(params["FunctionName"], params["Qualifier"])
        version = (await self._editor.resolve(reference)).subject
        assert isinstance(version, Version)
        shown: dict[str, object] = {"FunctionArn": self._home.arn(reference.name, version.label)}
        if version.scaling is None:
            return shown
        applied = version.scaling
        if applied.least is not None:
            applied = msgspec.structs.replace(applied, least=self._provisioner.kept(version).allocated)
        shown["AppliedFunctionScalingConfig"] = _shown(applied)
        shown["RequestedFunctionScalingConfig"] = _shown(version.scaling)
        return shown

    def _reference(self, function: str, qualifier: str) -> Reference:
        name = self._home.unqualified(function)
        if qualifier == _LATEST_PUBLISHED:
            raise faults.not_built(f"the Qualifier {_LATEST_PUBLISHED} (a published version is named by its number)")
        return Reference(name, qualifier)

    def _check(self, reader: Reader, version: Version, wanted: Scaling) -> None:
        """`ServiceError` unless `version` may be scaled like that."""
        name, label = version.function_name, version.label
        for other in version_repository.provisioned(reader, name):
            labels = (other.label,) if isinstance(other, Version) else (other.version, other.second)
            if label in labels:
                raise faults.provisioned_version(label)
        tenancy.refuse(version.configuration, "FunctionScalingConfig")
        if not wanted.least:
            return
        if version.configuration.snap_start:
            raise faults.snap_start_scaling()
        mine = (version.scaling.least or 0) if version.scaling else 0
        allowance.check(reader, self._limits, name, version_repository.kept(reader, name) - mine, wanted.least)


def _wanted(config: "FunctionScalingConfigTypeDef") -> Scaling | None:
    least, most = config.get("MinExecutionEnvironments"), config.get("MaxExecutionEnvironments")
    if least is None and most is None:
        return None
    if least is not None and most is not None and least > most:
        raise faults.invalid_parameter(
            f"MinExecutionEnvironments [{least}] must not be greater than MaxExecutionEnvironments [{most}]."
        )
    return Scaling(least, most)


def _shown(scaling: Scaling) -> dict[str, int]:
    members = {"MinExecutionEnvironments": scaling.least, "MaxExecutionEnvironments": scaling.most}
    return {name: value for name, value in members.items() if value is not None}
