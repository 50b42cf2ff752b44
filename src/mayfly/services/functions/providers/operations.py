"""Capacity providers. One that is created is active at once: there is no machine to wait for."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from mayfly.clock import Clock
from mayfly.engine.api import Engine
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import faults, validation
from mayfly.services.functions.model import LATEST, Architecture, Capacity, Version
from mayfly.services.functions.names import Home
from mayfly.services.functions.providers import catalog, wanted
from mayfly.services.functions.providers.model import MACHINE, Provider
from mayfly.services.functions.providers.names import arn_of, name_of
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateCapacityProviderRequestTypeDef,
        DeleteCapacityProviderRequestTypeDef,
        GetCapacityProviderRequestTypeDef,
        ListCapacityProvidersRequestTypeDef,
        ListFunctionVersionsByCapacityProviderRequestTypeDef,
        UpdateCapacityProviderRequestTypeDef,
    )

MOST = 1000  # of an account, as on AWS
_PAGE = 50
_MAX_NAME = 64


class ProviderOperations:
    """Handlers; see the module. Also the `Taggable` of capacity providers."""

    def __init__(self, store: Store, engine: Engine, home: Home, clock: Clock, host: Architecture) -> None:
        self._store = store
        self._engine = engine
        self._home = home
        self._clock = clock
        self._host = host

    async def check(self, asked: Capacity | None) -> None:
        """`ServiceError` ResourceNotFoundException when a function names a provider that is not there."""
        if asked is None:
            return
        name = name_of(self._home, asked.provider)
        if name is None or await self._store.read(lambda reader: catalog.find(reader, name)) is None:
            raise faults.resource_not_found(
                f"The capacity provider {asked.provider} does not exist. Create it, or name this machine: "
                f"{arn_of(self._home)}"
            )

    async def tell_all(self) -> None:
        """Tell the engine of all limits, at the start."""
        for provider in await self._store.read(catalog.everything):
            self._tell(provider)

    @operation("CreateCapacityProvider")
    async def create(
        self, context: RequestContext, params: "CreateCapacityProviderRequestTypeDef"
    ) -> dict[str, object]:
        name = self._name(params["CapacityProviderName"])
        if len(name) > _MAX_NAME:
            raise faults.invalid_parameter(f"The name of a capacity provider has at most {_MAX_NAME} characters.")
        tags = validation.tags(params.get("Tags", {}))
        provider = wanted.created(params, name, self._host, self._clock.now(), tags)

        def body(tx: Tx) -> None:
            if catalog.find(tx, name) is not None:
                raise faults.conflict(f"Capacity provider already exist: {arn_of(self._home, name)}")
            if len(catalog.everything(tx)) >= MOST:
                raise ServiceError(
                    "CapacityProviderLimitExceededException",
                    "The maximum number of capacity providers for your account has been exceeded.",
                    status=400,
                    members={"Type": "User"},
                )
            self._write(tx, provider)

        await self._store.write(body)
        return {"CapacityProvider": self._shown(provider)}

    @operation("GetCapacityProvider")
    async def get(self, context: RequestContext, params: "GetCapacityProviderRequestTypeDef") -> dict[str, object]:
        name = self._name(params["CapacityProviderName"])
        return {"CapacityProvider": self._shown(await self._store.read(lambda reader: self._find(reader, name)))}

    @operation("UpdateCapacityProvider")
    async def update(
        self, context: RequestContext, params: "UpdateCapacityProviderRequestTypeDef"
    ) -> dict[str, object]:
        name = self._name(params["CapacityProviderName"])
        wanted.refuse(params, self._host)

        def body(tx: Tx) -> Provider:
            before = self._find(tx, name)
            most = wanted.limit(params, before.most_cpus)
            changed = msgspec.structs.replace(before, most_cpus=most, modified_at=self._clock.now())
            self._write(tx, changed)
            return changed

        return {"CapacityProvider": self._shown(await self._store.write(body))}

    @operation("DeleteCapacityProvider")
    async def delete(
        self, context: RequestContext, params: "DeleteCapacityProviderRequestTypeDef"
    ) -> dict[str, object]:
        name = self._name(params["CapacityProviderName"])
        arn = arn_of(self._home, name)
        if name == MACHINE:
            raise faults.invalid_parameter(f"{arn} is this machine, and stays.")

        def body(tx: Tx) -> Provider:
            found = self._find(tx, name)
            if next(catalog.users(tx, arn), None) is not None:
                raise faults.conflict(
                    f"Capacity provider {arn} cannot be deleted because it is in use by function versions."
                )
            catalog.delete(tx, name)
            tx.after_commit(lambda: self._engine.limit(arn, None))
            return found

        return {"CapacityProvider": self._shown(await self._store.write(body), state="Deleting")}

    @operation("ListCapacityProviders")
    async def list(self, context: RequestContext, params: "ListCapacityProvidersRequestTypeDef") -> dict[str, object]:
        """By name; a marker is the last one of the page before."""
        found = await self._store.read(catalog.everything) if params.get("State", "Active") == "Active" else []
        left = [one for one in found if one.name > params.get("Marker", "")]
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        more = {"NextMarker": left[limit - 1].name} if len(left) > limit else {}
        return {"CapacityProviders": [self._shown(one) for one in left[:limit]], **more}

    @operation("ListFunctionVersionsByCapacityProvider")
    async def versions(
        self, context: RequestContext, params: "ListFunctionVersionsByCapacityProviderRequestTypeDef"
    ) -> dict[str, object]:
        """By name and number, $LATEST first; a marker names the last one of the page before."""
        name = self._name(params["CapacityProviderName"])
        arn = arn_of(self._home, name)
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        after, _, number = params.get("Marker", "").partition(":")
        since = (after, int(number)) if number.isdecimal() and len(number) < 19 else ("", -1)

        def body(reader: Reader) -> list[tuple[str, str, str, str]]:
            self._find(reader, name)
            found: list[tuple[str, str, str, str]] = []
            for one in islice(catalog.users(reader, arn, *since), limit + 1):
                function, label = (one.function_name, one.label) if isinstance(one, Version) else (one.name, LATEST)
                place = label if label != LATEST else "0"
                found.append((self._home.arn(function, label), one.standing, function, place))
            return found

        found = await self._store.read(body)
        shown = [{"FunctionArn": function_arn, "State": state} for function_arn, state, _, _ in found[:limit]]
        more = {"NextMarker": f"{found[limit - 1][2]}:{found[limit - 1][3]}"} if len(found) > limit else {}
        return {"CapacityProviderArn": arn, "FunctionVersions": shown, **more}

    # Tags.

    async def tags(self, arn: str) -> Mapping[str, str]:
        name = self._name(arn)
        return (await self._store.read(lambda reader: self._find(reader, name))).tags

    async def retag(self, arn: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        name = self._name(arn)

        def body(tx: Tx) -> None:
            found = self._find(tx, name)
            self._write(tx, msgspec.structs.replace(found, tags=change(found.tags)))

        await self._store.write(body)

    def _name(self, named: str) -> str:
        name = name_of(self._home, named)
        if name is None:
            raise faults.resource_not_found(f"Capacity provider not found: {named}")
        return name

    def _find(self, reader: Reader, name: str) -> Provider:
        found = catalog.find(reader, name)
        if found is None:
            raise faults.resource_not_found(f"Capacity provider not found: {arn_of(self._home, name)}")
        return found

    def _write(self, tx: Tx, provider: Provider) -> None:
        catalog.put(tx, provider)
        tx.after_commit(lambda: self._tell(provider))

    def _tell(self, provider: Provider) -> None:
        self._engine.limit(arn_of(self._home, provider.name), provider.most_cpus)

    def _shown(self, provider: Provider, *, state: str = "Active") -> dict[str, object]:
        return wanted.shown(provider, self._home, self._host, state=state)
