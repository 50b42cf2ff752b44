"""GetParameter and GetParameters, with versions, labels and references to secrets."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from mayfly.services.configs.parameters import catalog, faults, names
from mayfly.services.configs.parameters.model import Parameter, Version
from mayfly.services.configs.parameters.names import SECRET_PREFIX, Named
from mayfly.services.configs.parameters.values import Values
from mayfly.services.configs.scopes import Scope
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Reader, Store


class SecretValues(Protocol):
    """Given by secrets: what GetSecretValue and DescribeSecret say."""

    async def value(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]: ...

    async def description(self, context: RequestContext, secret: str) -> dict[str, Any]: ...


class ReadingOperations:
    """Handlers; see the module."""

    def __init__(self, store: Store, values: Values, secrets: SecretValues) -> None:
        self._store = store
        self._values = values
        self._secrets = secrets

    @operation("GetParameter")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        decrypt = params.get("WithDecryption", False)
        if params["Name"].startswith(SECRET_PREFIX):
            return {"Parameter": await self._secret(context, params["Name"], decrypt=decrypt)}
        named = names.parse(Scope.of(context), params["Name"])

        def body(reader: Reader) -> dict[str, object]:
            parameter = catalog.find(reader, named.place)
            if parameter is None:
                raise faults.not_found(params["Name"])
            return self._values.parameter(reader, named, parameter, selected(named, parameter), decrypt=decrypt)

        return {"Parameter": await self._store.read(body)}

    @operation("GetParameters")
    async def get_all(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        decrypt = params.get("WithDecryption", False)
        wanted = list(dict.fromkeys(params["Names"]))
        found: dict[str, dict[str, Any]] = {}
        for name in wanted:
            if name.startswith(SECRET_PREFIX):
                found[name] = await self._secret(context, name, decrypt=decrypt)

        def body(reader: Reader) -> None:
            for name in wanted:
                if name in found:
                    continue
                try:
                    named = names.parse(Scope.of(context), name)
                    parameter = catalog.find(reader, named.place)
                    if parameter is not None:
                        version = selected(named, parameter)
                        found[name] = self._values.parameter(reader, named, parameter, version, decrypt=decrypt)
                except ServiceError as error:
                    if error.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
                        raise

        await self._store.read(body)
        return {
            "Parameters": [found[name] for name in wanted if name in found],
            "InvalidParameters": [name for name in wanted if name not in found],
        }

    async def _secret(self, context: RequestContext, name: str, *, decrypt: bool) -> dict[str, Any]:
        """A secret as a parameter shows it."""
        if not decrypt:
            raise faults.validation("WithDecryption flag must be True for retrieving a Secret Manager secret.")
        secret, colon, which = name.removeprefix(SECRET_PREFIX).partition(":")
        asked = {"SecretId": secret}
        if colon:
            asked["VersionId" if len(which) >= 32 else "VersionStage"] = which
        try:
            found = await self._secrets.value(context, asked)
            described = await self._secrets.description(context, secret)
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            raise ServiceError(
                "ParameterNotFound",
                "An error occurred (ParameterNotFound) when referencing Secrets Manager: "
                f"Secret {SECRET_PREFIX}{secret} not found.",
            ) from None
        if "SecretString" not in found:
            raise faults.validation("A secret that is bytes cannot be read as a parameter.")
        return {
            "Name": name.partition(":")[0].removeprefix(SECRET_PREFIX) if not colon else secret,
            "Type": "SecureString",
            "Value": found["SecretString"],
            "Version": 0,
            "SourceResult": json.dumps(found | described, default=_plain),
            "LastModifiedDate": found["CreatedDate"],
            "ARN": found["ARN"],
            **({"Selector": f":{which}"} if colon else {}),
        }


def selected(named: Named, parameter: Parameter) -> Version:
    """The version that a selector means; `ServiceError` ParameterVersionNotFound."""
    if not named.selector:
        return parameter.latest
    if named.label.isascii() and named.label.isdecimal():
        number = int(named.label[:19])
        for version in parameter.versions:
            if version.number == number:
                return version
        raise faults.no_version(named.shown, number)
    for version in parameter.versions:
        if named.label in version.labels:
            return version
    raise faults.no_label(named.shown, named.label)


def _plain(value: Any) -> str:
    return str(value)
