"""Provisioned concurrency of versions and aliases."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock, utc
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import allowance, faults, tenancy, version_repository
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.model import LATEST, Alias, Function, ProvisionedSettings, Subject, Version
from mayfly.services.functions.names import Home, Reference
from mayfly.services.functions.provisioning import Allocation, Provisioner
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        DeleteProvisionedConcurrencyConfigRequestTypeDef,
        GetProvisionedConcurrencyConfigRequestTypeDef,
        ListProvisionedConcurrencyConfigsRequestTypeDef,
        PutProvisionedConcurrencyConfigRequestTypeDef,
    )

_PAGE = 50


class ProvisionedOperations:
    """Handlers; see the module."""

    def __init__(
        self,
        home: Home,
        editor: Editor,
        store: Store,
        provisioner: Provisioner,
        limits: FunctionLimits,
        clock: Clock,
    ) -> None:
        self._home = home
        self._editor = editor
        self._store = store
        self._provisioner = provisioner
        self._limits = limits
        self._clock = clock

    @operation("PutProvisionedConcurrencyConfig")
    async def put(
        self, context: RequestContext, params: "PutProvisionedConcurrencyConfigRequestTypeDef"
    ) -> dict[str, object]:
        reference = self._reference(params, faults.unpublished_provisioning())
        wanted = ProvisionedSettings(params["ProvisionedConcurrentExecutions"], self._clock.now())

        def change(subject: Subject, tx: Tx) -> Subject:
            assert not isinstance(subject, Function)
            self._check(tx, subject, wanted.instances)
            self._provisioner.touch(tx, reference.name)
            return msgspec.structs.replace(subject, provisioned=wanted)

        subject = await self._editor.change_subject(reference, change)
        assert not isinstance(subject, Function)
        # Whatever there is already of it: that it is complete is for later calls to say.
        allocated = self._provisioner.allocation(subject).allocated
        return self._shown(wanted, Allocation(allocated, "IN_PROGRESS"))

    @operation("GetProvisionedConcurrencyConfig")
    async def get(
        self, context: RequestContext, params: "GetProvisionedConcurrencyConfigRequestTypeDef"
    ) -> dict[str, object]:
        reference = self._reference(params, _unpublished())
        subject = (await self._editor.resolve(reference, self._home.no_such(reference))).subject
        assert not isinstance(subject, Function)
        if subject.provisioned is None:
            raise ServiceError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                status=404,
                members={"Type": "User"},
            )
        return self._shown(subject.provisioned, self._provisioner.allocation(subject))

    @operation("DeleteProvisionedConcurrencyConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteProvisionedConcurrencyConfigRequestTypeDef"
    ) -> dict[str, object]:
        """Where there is nothing to delete, nothing happens."""
        reference = self._reference(params, _unpublished())

        def change(subject: Subject, tx: Tx) -> Subject:
            assert not isinstance(subject, Function)
            if isinstance(subject, Alias) and subject.provisioned and subject.second is not None:
                raise _weighted()
            self._provisioner.touch(tx, reference.name)
            return msgspec.structs.replace(subject, provisioned=None)

        await self._editor.change_subject(reference, change)
        return {}

    @operation("ListProvisionedConcurrencyConfigs")
    async def list(
        self, context: RequestContext, params: "ListProvisionedConcurrencyConfigsRequestTypeDef"
    ) -> dict[str, object]:
        """By qualifier; a marker is the last one of the page before."""
        name = self._home.parse(params["FunctionName"]).name
        await self._editor.find(name)
        found = await self._store.read(lambda reader: version_repository.provisioned(reader, name))
        by_qualifier = {each.label if isinstance(each, Version) else each.name: each for each in found}
        left = [qualifier for qualifier in sorted(by_qualifier) if qualifier > params.get("Marker", "")]
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        shown: list[dict[str, object]] = []
        for qualifier in left[:limit]:
            subject = by_qualifier[qualifier]
            assert subject.provisioned is not None
            members = self._shown(subject.provisioned, self._provisioner.allocation(subject))
            shown.append({"FunctionArn": self._home.arn(name, qualifier), **members})
        more = {"NextMarker": left[limit - 1]} if len(left) > limit else {}
        return {"ProvisionedConcurrencyConfigs": shown, **more}

    def _reference(self, params: Mapping[str, Any], unpublished: ServiceError) -> Reference:
        if params["Qualifier"] == LATEST:
            raise unpublished
        reference = self._home.parse(params["FunctionName"], params["Qualifier"])
        if reference.names_latest:
            raise unpublished
        return reference

    def _check(self, reader: Reader, subject: Version | Alias, wanted: int) -> None:
        """`ServiceError` unless so many instances may be provisioned for `subject`."""
        others = [
            other
            for other in version_repository.provisioned(reader, subject.function_name)
            if (type(other), _qualifier(other)) != (type(subject), _qualifier(subject))
        ]
        name = subject.function_name
        kept = version_repository.kept(reader, name) - _instances(subject)
        allowance.check(reader, self._limits, name, kept, wanted)
        self._check_version(reader, subject, others)

    def _check_version(self, reader: Reader, subject: Version | Alias, others: Sequence[Version | Alias]) -> None:
        """Only one setting applies to a version, and the version must be one that instances can be kept of."""
        if isinstance(subject, Alias):
            if subject.version == LATEST:
                raise faults.unpublished_provisioning()
            if subject.second is not None:
                raise _weighted()
        label = subject.label if isinstance(subject, Version) else subject.version
        for other in others:
            if isinstance(other, Alias) and label in (other.version, other.second):
                if isinstance(subject, Version):
                    raise faults.conflict("Version is pointed by a Provisioned Concurrency alias")
                raise faults.version_provisioned()
            if isinstance(other, Version) and other.label == label:
                raise faults.version_provisioned()
        version = version_repository.find_version(reader, subject.function_name, label)
        if version is not None:
            tenancy.refuse(version.configuration, "Provisioned Concurrency")
        if version is not None and version.configuration.snap_start:
            raise faults.snap_start_provisioning()
        if version is not None and version.scaling is not None:
            raise faults.scaled_version(label)

    def _shown(self, settings: ProvisionedSettings, allocation: Allocation) -> dict[str, object]:
        shown: dict[str, object] = {
            "RequestedProvisionedConcurrentExecutions": settings.instances,
            "AvailableProvisionedConcurrentExecutions": allocation.allocated,
            "AllocatedProvisionedConcurrentExecutions": allocation.allocated,
            "Status": allocation.status,
            "LastModified": utc(settings.modified_at).strftime("%Y-%m-%dT%H:%M:%S+0000"),
        }
        return shown | ({"StatusReason": allocation.reason} if allocation.reason else {})


def _qualifier(subject: Version | Alias) -> str:
    return subject.label if isinstance(subject, Version) else subject.name


def _instances(subject: Version | Alias) -> int:
    return subject.provisioned.instances if subject.provisioned else 0


def _unpublished() -> ServiceError:
    return faults.invalid_parameter("The function resource provided must be an alias or a published version.")


def _weighted() -> ServiceError:
    return faults.invalid_parameter("Alias with weights can not be used with Provisioned Concurrency")
