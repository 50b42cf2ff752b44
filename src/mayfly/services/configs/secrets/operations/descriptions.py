"""DescribeSecret, ListSecrets, ListSecretVersionIds, tags, and GetRandomPassword."""

import secrets as randomness
from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services import page_tokens
from mayfly.services.configs.secrets import faults, listing, passwords, shapes, tags
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.model import Place, Secret
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx


class DescriptionOperations:
    """Handlers; see the module."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @operation("DescribeSecret")
    async def describe(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        place, secret = await self._desk.read(context, "DescribeSecret", params, deleted=True)
        versions = {"VersionIdsToStages": shapes.stages_of(secret)} if secret.versions else {}
        return shapes.described(place, secret) | versions

    @operation("ListSecrets")
    async def list_secrets(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found, more = await listing.page(self._desk, context, params)
        shown = [
            shapes.described(place, secret) | {"SecretVersionsToStages": shapes.stages_of(secret)}
            for place, secret in found
        ]
        return {"SecretList": shown, **more}

    @operation("ListSecretVersionIds")
    async def list_versions(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        place, secret = await self._desk.read(context, "ListSecretVersionIds", params, deleted=True)
        all_ = params.get("IncludeDeprecated", False)
        versions = [one for one in secret.versions if all_ or one.stages]
        size = params.get("MaxResults", listing.PAGE)
        after = page_tokens.after(params.get("NextToken") or None, faults.bad_token)
        at = next((number + 1 for number, one in enumerate(versions) if one.id == after), 0)
        shown = versions[at : at + size]
        more = {"NextToken": page_tokens.encode(shown[-1].id)} if len(versions) > at + size else {}
        listed = [shapes.version(one, secret.key_id) for one in shown]
        return shapes.brief(place, secret, Versions=listed, **more)

    @operation("TagResource")
    async def tag(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def change(_tx: Tx, _place: Place, secret: Secret) -> Secret:
            return msgspec.structs.replace(secret, tags=tags.changed(secret.tags, params["Tags"]))

        await self._desk.change(context, "TagResource", params, change)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def change(_tx: Tx, _place: Place, secret: Secret) -> Secret:
            kept = {key: value for key, value in secret.tags.items() if key not in params["TagKeys"]}
            return msgspec.structs.replace(secret, tags=kept)

        await self._desk.change(context, "UntagResource", params, change)
        return {}

    @operation("GetRandomPassword")
    async def random_password(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"RandomPassword": passwords.password(params, randomness.randbelow)}
