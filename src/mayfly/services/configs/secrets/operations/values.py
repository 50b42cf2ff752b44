"""CreateSecret, PutSecretValue, UpdateSecret, UpdateSecretVersionStage, and what reads values."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly import ids
from mayfly.services.configs.scopes import Scope
from mayfly.services.configs.secrets import catalog, faults, listing, names, shapes, stages, tags, values
from mayfly.services.configs.secrets.desk import Desk
from mayfly.services.configs.secrets.model import CURRENT, Place, Secret
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Reader, Tx

OWN_KEY = "alias/aws/secretsmanager"


class ValueOperations:
    """Handlers; see the module."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @operation("CreateSecret")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        names.check_new(params["Name"])
        if params.get("AddReplicaRegions"):
            raise faults.invalid_parameter("Mayfly has one region: there are none to replicate a secret to.")
        _check_key(params)
        place, content, token = Place(Scope.of(context), params["Name"]), values.given(params), _token(params)
        suffix = ids.token(names.SUFFIX, names.ALPHABET)

        def body(tx: Tx) -> Secret:
            before, now = catalog.find(tx, place), self._desk.clock.now()
            if before is not None:
                return self._created_before(tx, place, before, token, content)
            secret = Secret(
                place.name,
                suffix,
                created_at=now,
                changed_at=now,
                description=params.get("Description", ""),
                key_id=params.get("KmsKeyId", ""),
                tags=tags.changed({}, params.get("Tags", ())),
            )
            if content is not None:
                secret = self._desk.values.put(tx, place, secret, token, content, (CURRENT,), now)
            catalog.put(tx, place, secret)
            return secret

        secret = await self._desk.store.write(body)
        return shapes.brief(place, secret, **({"VersionId": token} if content is not None else {}))

    def _created_before(
        self, tx: Tx, place: Place, before: Secret, token: str, content: values.Content | None
    ) -> Secret:
        """The same request again is no error."""
        if before.deleted_at is not None:
            raise faults.invalid_request(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        known = before.version(token)
        if known is None or not known.has_value:
            raise faults.exists(before.name)
        if self._desk.values.open(tx, place, before, known) != content:
            raise faults.token_used(token, place.arn(before.suffix))
        return before

    @operation("PutSecretValue")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        content, token = values.given(params), _token(params)
        wanted = tuple(params.get("VersionStages", (CURRENT,)))
        if content is None:
            raise faults.invalid_request("You must provide either SecretString or SecretBinary.")

        def change(tx: Tx, place: Place, secret: Secret) -> Secret:
            return self._desk.values.put(tx, place, secret, token, content, wanted, self._desk.clock.now())

        place, secret = await self._desk.change(context, "PutSecretValue", params, change)
        version = secret.version(token)
        assert version is not None, "it was put"
        return shapes.brief(place, secret, VersionId=token, VersionStages=list(version.stages))

    @operation("UpdateSecret")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        _check_key(params)
        content, token = values.given(params), _token(params)

        def change(tx: Tx, place: Place, secret: Secret) -> Secret:
            now = self._desk.clock.now()
            secret = msgspec.structs.replace(
                secret,
                description=params.get("Description", secret.description),
                key_id=params.get("KmsKeyId", secret.key_id),
                changed_at=now,
            )
            if content is None:
                return secret
            return self._desk.values.put(tx, place, secret, token, content, (CURRENT,), now)

        place, secret = await self._desk.change(context, "UpdateSecret", params, change)
        return shapes.brief(place, secret, **({"VersionId": token} if content is not None else {}))

    @operation("UpdateSecretVersionStage")
    async def update_stage(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def change(_tx: Tx, _place: Place, secret: Secret) -> Secret:
            return _restaged(secret, params, self._desk.clock.now())

        place, secret = await self._desk.change(context, "UpdateSecretVersionStage", params, change)
        return shapes.brief(place, secret)

    @operation("GetSecretValue")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(reader: Reader) -> tuple[dict[str, Any], bool]:
            place, secret = self._desk.find(reader, context, "GetSecretValue", params, deleted=False)
            version = values.selected(secret, params.get("VersionId"), params.get("VersionStage"))
            shown = self._desk.values.shown(reader, place, secret, version)
            return shown, values.accessed(secret, version, self._desk.clock.now()) is not None

        shown, first_today = await self._desk.store.read(body)
        if first_today:
            await self._desk.store.write(lambda tx: self._note(tx, context, shown))
        return shown

    @operation("BatchGetSecretValue")
    async def batch_get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted, filters = params.get("SecretIdList"), params.get("Filters")
        if bool(wanted) == bool(filters):
            raise faults.invalid_parameter("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
        if not filters and "MaxResults" in params:
            raise faults.invalid_parameter(
                "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided."
            )
        more: dict[str, str] = {}
        if filters:
            found, more = await listing.page(self._desk, context, {"MaxResults": 20, **params})
            wanted = [place.arn(secret.suffix) for place, secret in found]
        values_, errors = [], []
        for one in wanted or ():
            try:
                values_.append(await self.get(context, {"SecretId": one}))
            except ServiceError as error:
                errors.append({"SecretId": one, "ErrorCode": error.code, "Message": _of_batch(error)})
        return {"SecretValues": values_, "Errors": errors, **more}

    def _note(self, tx: Tx, context: RequestContext, shown: Mapping[str, Any]) -> None:
        """Write down the day of an access, unless the secret is another one by now."""
        place = Place(Scope.of(context), shown["Name"])
        secret = catalog.find(tx, place)
        version = secret.version(shown["VersionId"]) if secret is not None else None
        if secret is not None and version is not None and place.arn(secret.suffix) == shown["ARN"]:
            after = values.accessed(secret, version, self._desk.clock.now())
            if after is not None:
                catalog.put(tx, place, after)


def _of_batch(error: ServiceError) -> str:
    if error.code == "InvalidRequestException":
        return "You can't perform this operation on the secret because it was currently marked deleted."
    return error.message


def _check_key(params: Mapping[str, Any]) -> None:
    if params.get("KmsKeyId", OWN_KEY).rpartition(":")[2] not in ("", OWN_KEY):
        raise ServiceError(
            "EncryptionFailure",
            f"A key of your own needs a key management service, which Mayfly does not have: {OWN_KEY} is its own.",
        )


def _token(params: Mapping[str, Any]) -> str:
    """SDKs make one for who gives none."""
    return str(params.get("ClientRequestToken") or ids.request_id())


def _restaged(secret: Secret, params: Mapping[str, Any], now: float) -> Secret:
    stage, to, origin = params["VersionStage"], params.get("MoveToVersionId"), params.get("RemoveFromVersionId")
    holder = secret.staged(stage)
    for id_ in (to, origin):
        if id_ is not None and secret.version(id_) is None:
            raise faults.not_found(f"Secrets Manager can't find the specified secret value for VersionId: {id_}")
    if to is None and origin is None:
        raise faults.invalid_parameter("You must provide MoveToVersionId or RemoveFromVersionId, or both.")
    if origin is not None and (holder is None or holder.id != origin):
        raise faults.invalid_parameter(f"The staging label {stage} is not attached to version {origin} of the secret.")
    if holder is not None and holder.id not in (to, origin):
        raise faults.invalid_parameter(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version "
            f"{holder.id}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if to is None:
        if stage == CURRENT:
            raise faults.invalid_parameter(
                f"You can only move staging label {CURRENT} to a different secret version. It can't be completely "
                "removed."
            )
        assert origin is not None, "see above"
        versions = stages.unstaged(secret.versions, origin, stage)
    else:
        versions = stages.staged(secret.versions, to, (stage,))
    return msgspec.structs.replace(secret, versions=versions, changed_at=now)
