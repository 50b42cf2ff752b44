"""Aliases: names for versions, and for two versions that share the calls."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly import ids
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import alias_rules, describe, faults, repository, version_repository
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.model import Alias
from mayfly.services.functions.names import Home
from mayfly.services.functions.provisioning import Provisioner
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        AliasConfigurationTypeDef,
        CreateAliasRequestTypeDef,
        DeleteAliasRequestTypeDef,
        GetAliasRequestTypeDef,
        ListAliasesRequestTypeDef,
        UpdateAliasRequestTypeDef,
    )

_PAGE = 50


class AliasOperations:
    """Handlers; see the module."""

    def __init__(self, home: Home, store: Store, catalog: Catalog, provisioner: Provisioner) -> None:
        self._home = home
        self._store = store
        self._catalog = catalog
        self._provisioner = provisioner

    @operation("CreateAlias")
    async def create(self, context: RequestContext, params: "CreateAliasRequestTypeDef") -> "AliasConfigurationTypeDef":
        name = self._home.latest(params["FunctionName"]).name
        second, weight = _shares(params)
        alias = Alias(
            function_name=name,
            name=params["Name"],
            version=params["FunctionVersion"],
            revision_id=ids.request_id(),
            description=params.get("Description", ""),
            second=second,
            weight=weight,
        )

        def body(tx: Tx) -> None:
            alias_rules.check(tx, alias, self._home)
            if not version_repository.insert_alias(tx, alias):
                raise faults.conflict(f"Alias already exists: {self._home.arn(name, alias.name)}")
            self._catalog.changed(tx, alias)

        await self._store.write(body)
        return describe.alias(alias, self._home)

    @operation("GetAlias")
    async def get(self, context: RequestContext, params: "GetAliasRequestTypeDef") -> "AliasConfigurationTypeDef":
        name = self._home.parse(params["FunctionName"], params["Name"]).name
        alias = await self._store.read(lambda reader: version_repository.find_alias(reader, name, params["Name"]))
        if alias is None:
            raise faults.resource_not_found(f"Cannot find alias arn: {self._home.arn(name, params['Name'])}")
        return describe.alias(alias, self._home)

    @operation("ListAliases")
    async def list(self, context: RequestContext, params: "ListAliasesRequestTypeDef") -> dict[str, object]:
        name = self._home.latest(params["FunctionName"]).name
        limit = min(params.get("MaxItems", _PAGE), _PAGE)

        def body(reader: Reader) -> list[Alias]:
            if repository.find(reader, name) is None:
                raise faults.function_not_found(self._home.arn(name))
            marker, version = params.get("Marker", ""), params.get("FunctionVersion", "")
            return version_repository.aliases(reader, name, marker, limit + 1, version)

        found = await self._store.read(body)
        shown: dict[str, object] = {"Aliases": [describe.alias(alias, self._home) for alias in found[:limit]]}
        return shown | ({"NextMarker": found[limit - 1].name} if len(found) > limit else {})

    @operation("UpdateAlias")
    async def update(self, context: RequestContext, params: "UpdateAliasRequestTypeDef") -> "AliasConfigurationTypeDef":
        name = self._home.parse(params["FunctionName"], params["Name"]).name
        revision, revision_id = params.get("RevisionId"), ids.request_id()
        changes: dict[str, Any] = {"revision_id": revision_id}
        if "FunctionVersion" in params:
            changes["version"] = params["FunctionVersion"]
        if "Description" in params:
            changes["description"] = params["Description"]
        if "RoutingConfig" in params:
            changes["second"], changes["weight"] = _shares(params)

        def body(tx: Tx) -> Alias:
            old = version_repository.find_alias(tx, name, params["Name"])
            if old is None:
                raise faults.resource_not_found(f"Alias not found: {self._home.arn(name, params['Name'])}")
            if revision is not None and revision != old.revision_id:
                raise faults.stale_revision("GetFunction/GetAlias")
            new = msgspec.structs.replace(old, **changes)
            alias_rules.check(tx, new, self._home)
            version_repository.update_alias(tx, new)
            self._catalog.changed(tx, new)
            self._provisioner.touch(tx, name)
            return new

        return describe.alias(await self._store.write(body), self._home)

    @operation("DeleteAlias")
    async def delete(self, context: RequestContext, params: "DeleteAliasRequestTypeDef") -> dict[str, object]:
        """One that is not there is as good as deleted."""
        name = self._home.parse(params["FunctionName"], params["Name"]).name

        def body(tx: Tx) -> None:
            alias = version_repository.find_alias(tx, name, params["Name"])
            if alias is not None:
                version_repository.delete_alias(tx, alias)
                self._catalog.changed(tx, alias)
                self._provisioner.touch(tx, name)

        await self._store.write(body)
        return {}


def _shares(params: Mapping[str, Any]) -> tuple[str | None, float]:
    """The second version of an alias and its share; None when there is none."""
    weights = params.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}
    if len(weights) > 1:
        raise faults.invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for version, weight in weights.items():
        return version, float(weight)
    return None, 0.0
