"""Values of versions: put once each, sealed; the same again is no error, another under the same token is."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from mayfly.clock import utc
from mayfly.services.configs.secrets import catalog, faults, stages
from mayfly.services.configs.secrets.model import CURRENT, DAY_S, Place, Secret, Version
from mayfly.services.ports import Vault
from mayfly.store.api import Reader, Tx

MOST_BYTES = 65_536


class Content(NamedTuple):
    """A value as it was given."""

    data: bytes
    binary: bool


def given(params: Mapping[str, Any]) -> Content | None:
    """The value in a request; `ServiceError` where there are two."""
    text, data = params.get("SecretString"), params.get("SecretBinary")
    if text is not None and data is not None:
        raise faults.invalid_parameter(
            "You can't specify both a binary secret value and a string secret value in the same secret."
        )
    if text is not None:
        content = Content(text.encode(), binary=False)
    elif data is not None:
        content = Content(bytes(data), binary=True)
    else:
        return None
    if len(content.data) > MOST_BYTES:
        raise faults.invalid_parameter(f"A secret value can be at most {MOST_BYTES} bytes long.")
    return content


class Values:
    """Seals, keeps and opens them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def put(
        self, tx: Tx, place: Place, secret: Secret, token: str, content: Content, wanted: tuple[str, ...], now: float
    ) -> Secret:
        """`secret` with a version `token` of that content, which has the stages `wanted`. The row is the caller's."""
        known = secret.version(token)
        if known is not None and known.has_value:
            if self.open(tx, place, secret, known) != content:
                raise faults.token_used(token, place.arn(secret.suffix))
            return secret
        if secret.staged(CURRENT) is None and CURRENT not in wanted:
            wanted = (*wanted, CURRENT)
        version = Version(token, now, known.stages if known is not None else (), binary=content.binary)
        others = tuple(one for one in secret.versions if one.id != token)
        versions, gone = stages.kept(stages.staged((*others, version), token, wanted))
        for one in gone:
            catalog.delete_value(tx, place, one.id)
        catalog.put_value(tx, place, token, self._vault.seal(content.data, place.about(secret, token)))
        return msgspec.structs.replace(secret, versions=versions, changed_at=now)

    def open(self, reader: Reader, place: Place, secret: Secret, version: Version) -> Content:
        sealed = catalog.value(reader, place, version.id)
        assert sealed is not None, "a version that says so has a value"
        return Content(self._vault.open(sealed, place.about(secret, version.id)), version.binary)

    def shown(self, reader: Reader, place: Place, secret: Secret, version: Version) -> dict[str, Any]:
        """The reply of GetSecretValue."""
        content = self.open(reader, place, secret, version)
        return {
            "ARN": place.arn(secret.suffix),
            "Name": secret.name,
            "VersionId": version.id,
            **({"SecretBinary": content.data} if content.binary else {"SecretString": content.data.decode()}),
            "VersionStages": list(version.stages),
            "CreatedDate": utc(version.created_at),
        }


def selected(secret: Secret, id_: str | None, stage: str | None) -> Version:
    """The version that a request asks for; `ServiceError`."""
    if id_ is not None:
        found = secret.version(id_)
        if found is None or not found.has_value:
            raise faults.no_value(f"VersionId: {id_}")
        if stage is not None and stage not in found.stages:
            raise faults.invalid_request(
                "You provided a VersionStage that is not associated to the provided VersionId."
            )
        return found
    stage = stage or CURRENT
    found = secret.staged(stage)
    if found is None or not found.has_value:
        raise faults.no_value(f"staging label: {stage}")
    return found


def day_of(moment: float) -> float:
    """The day of a moment: what is said of the last access to a secret is no more exact."""
    return moment // DAY_S * DAY_S


def accessed(secret: Secret, version: Version, now: float) -> Secret | None:
    """`secret` with the day of this access; None where that is known already."""
    today = day_of(now)
    if secret.accessed_at == today and version.accessed_at == today:
        return None
    versions = tuple(
        msgspec.structs.replace(one, accessed_at=today) if one.id == version.id else one for one in secret.versions
    )
    return msgspec.structs.replace(secret, versions=versions, accessed_at=today)
