"""Code signing configurations as resources: create, get, update, delete, list, and their tags."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.functions import faults, validation
from mayfly.services.functions.describe import lambda_time
from mayfly.services.functions.names import Home
from mayfly.services.functions.signing import names, repository
from mayfly.services.functions.signing.model import SigningConfig
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateCodeSigningConfigRequestTypeDef,
        DeleteCodeSigningConfigRequestTypeDef,
        GetCodeSigningConfigRequestTypeDef,
        ListCodeSigningConfigsRequestTypeDef,
        ListFunctionsByCodeSigningConfigRequestTypeDef,
        UpdateCodeSigningConfigRequestTypeDef,
    )

# A page holds 50 at most, whatever MaxItems says.
_PAGE = 50


class SigningConfigOperations:
    """Handlers; see the module. Also what `operations.tags` asks of a resource that can be tagged."""

    def __init__(self, home: Home, store: Store, clock: Clock) -> None:
        self._home = home
        self._store = store
        self._clock = clock

    @operation("CreateCodeSigningConfig")
    async def create(
        self, context: RequestContext, params: "CreateCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        config = SigningConfig(
            names.new_id(),
            tuple(params["AllowedPublishers"]["SigningProfileVersionArns"]),
            self._clock.now(),
            params.get("CodeSigningPolicies", {}).get("UntrustedArtifactOnDeployment", "Warn"),
            params.get("Description", ""),
            validation.tags(params.get("Tags", {})),
        )

        def body(tx: Tx) -> SigningConfig:
            if context.once is not None and (made := repository.find_made(tx, context.once)) is not None:
                return made
            repository.insert(tx, config, context.once)
            return config

        return {"CodeSigningConfig": self._shown(await self._store.write(body))}

    @operation("GetCodeSigningConfig")
    async def get(self, context: RequestContext, params: "GetCodeSigningConfigRequestTypeDef") -> dict[str, object]:
        return {"CodeSigningConfig": self._shown(await self._read(params["CodeSigningConfigArn"]))}

    @operation("UpdateCodeSigningConfig")
    async def update(
        self, context: RequestContext, params: "UpdateCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        changes: dict[str, Any] = {}
        if "Description" in params:
            changes["description"] = params["Description"]
        if "AllowedPublishers" in params:
            changes["publishers"] = tuple(params["AllowedPublishers"]["SigningProfileVersionArns"])
        if policy := params.get("CodeSigningPolicies", {}).get("UntrustedArtifactOnDeployment"):
            changes["policy"] = policy
        if changes:
            changes["modified_at"] = self._clock.now()
        config = await self._change(params["CodeSigningConfigArn"], lambda old: msgspec.structs.replace(old, **changes))
        return {"CodeSigningConfig": self._shown(config)}

    @operation("DeleteCodeSigningConfig")
    async def delete(
        self, context: RequestContext, params: "DeleteCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        arn = params["CodeSigningConfigArn"]

        def body(tx: Tx) -> None:
            config = self._find(tx, arn)
            if users := repository.functions(tx, config.id, "", 1):
                raise faults.conflict(
                    f"The code signing configuration {arn} cannot be deleted while functions use it: {users[0]} does."
                )
            repository.delete(tx, config)

        await self._store.write(body)
        return {}

    @operation("ListCodeSigningConfigs")
    async def list(self, context: RequestContext, params: "ListCodeSigningConfigsRequestTypeDef") -> dict[str, object]:
        """A marker is the id of the last one shown."""
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        found = await self._store.read(lambda reader: repository.page(reader, params.get("Marker", ""), limit + 1))
        following = {"NextMarker": found[limit - 1].id} if len(found) > limit else {}
        return {"CodeSigningConfigs": [self._shown(config) for config in found[:limit]], **following}

    @operation("ListFunctionsByCodeSigningConfig")
    async def list_functions(
        self, context: RequestContext, params: "ListFunctionsByCodeSigningConfigRequestTypeDef"
    ) -> dict[str, object]:
        """A marker is the name of the last one shown."""
        limit = min(params.get("MaxItems", _PAGE), _PAGE)

        def body(reader: Reader) -> list[str]:
            config = self._find(reader, params["CodeSigningConfigArn"])
            return repository.functions(reader, config.id, params.get("Marker", ""), limit + 1)

        found = await self._store.read(body)
        following = {"NextMarker": found[limit - 1]} if len(found) > limit else {}
        return {"FunctionArns": [self._home.arn(name) for name in found[:limit]], **following}

    # Tags.

    async def tags(self, arn: str) -> Mapping[str, str]:
        return (await self._read(arn)).tags

    async def retag(self, arn: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        await self._change(arn, lambda old: msgspec.structs.replace(old, tags=change(old.tags)))

    async def _read(self, arn: str) -> SigningConfig:
        return await self._store.read(lambda reader: self._find(reader, arn))

    async def _change(self, arn: str, change: Callable[[SigningConfig], SigningConfig]) -> SigningConfig:
        def body(tx: Tx) -> SigningConfig:
            config = change(self._find(tx, arn))
            repository.update(tx, config)
            return config

        return await self._store.write(body)

    def _find(self, reader: Reader, arn: str) -> SigningConfig:
        config_id = names.config_id(self._home, arn)
        config = repository.find(reader, config_id) if config_id is not None else None
        if config is None:
            message = f"The Lambda code signing configuration {arn} can not be found."
            raise ServiceError("ResourceNotFoundException", message, status=404)
        return config

    def _shown(self, config: SigningConfig) -> dict[str, object]:
        return {
            "CodeSigningConfigId": config.id,
            "CodeSigningConfigArn": names.arn(self._home, config.id),
            "Description": config.description,
            "AllowedPublishers": {"SigningProfileVersionArns": list(config.publishers)},
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": config.policy},
            "LastModified": lambda_time(config.modified_at),
        }
