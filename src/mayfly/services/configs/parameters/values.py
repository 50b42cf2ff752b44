"""Values of parameters at rest and as they are shown: what is secret is sealed, and opened for who asks for that."""

import base64

from mayfly.clock import utc
from mayfly.services.configs.parameters import catalog
from mayfly.services.configs.parameters.model import Parameter, Place, Version
from mayfly.services.configs.parameters.names import Named
from mayfly.services.ports import Vault
from mayfly.store.api import Reader


class Values:
    """Seals and opens them."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def stored(self, place: Place, version: Version, value: str) -> bytes:
        plain = value.encode()
        return self._vault.seal(plain, place.about(version.number)) if version.kind == "SecureString" else plain

    def shown(self, reader: Reader, place: Place, version: Version, *, decrypt: bool) -> str:
        """The value; of a secret one that is not to be decrypted, what is stored, as base64."""
        content = catalog.value(reader, place, version.number)
        if version.kind != "SecureString":
            return content.decode()
        if not decrypt:
            return base64.b64encode(content).decode()
        return self._vault.open(content, place.about(version.number)).decode()

    def parameter(
        self, reader: Reader, named: Named, parameter: Parameter, version: Version, *, decrypt: bool
    ) -> dict[str, object]:
        """A `Parameter` of a reply."""
        shown: dict[str, object] = {
            "Name": parameter.name,
            "Type": version.kind,
            "Value": self.shown(reader, named.place, version, decrypt=decrypt),
            "Version": version.number,
            "LastModifiedDate": utc(version.at),
            "ARN": named.place.arn,
            "DataType": version.data_type,
        }
        if named.selector:
            shown["Selector"] = named.selector
        return shown


def described(version: Version) -> dict[str, object]:
    """What ParameterMetadata and ParameterHistory have in common."""
    shown: dict[str, object] = {
        "Type": version.kind,
        "LastModifiedDate": utc(version.at),
        "LastModifiedUser": version.by,
        "Version": version.number,
        "Tier": version.tier,
        "DataType": version.data_type,
        "Policies": [
            {"PolicyText": one.text, "PolicyType": one.kind, "PolicyStatus": "Finished" if one.done else "Pending"}
            for one in version.policies
        ],
    }
    optional = {"KeyId": version.key_id, "Description": version.description, "AllowedPattern": version.pattern}
    return shown | {name: value for name, value in optional.items() if value}
