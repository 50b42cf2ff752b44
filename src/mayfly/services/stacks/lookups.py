"""What templates take from the parameter store and from secrets, looked up in the name of whoever asked for the stack.

Three moments. Parameters of the type AWS::SSM::Parameter::Value<…> are looked up when a definition is drawn up, and
their values are part of it. Dynamic references to plain parameters (`{{resolve:ssm:…}}`) are replaced when a resource
is worked on. Those to secrets are replaced in the very call to a service (`Disclosing`), and stand nowhere else.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.ports import Operations
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.template.dynamic import (
    PLAIN,
    SECRET,
    SECURE,
    Reference,
    member,
    references,
    replaced,
)
from mayfly.services.stacks.template.parameters import MASK, SSM_NAME, Value, stored_type, stored_value

_BATCH = 10  # names in one call of GetParameters
_SECURE = "SecureString"


class Lookups:
    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def stored(
        self, context: RequestContext, declared: Mapping[str, Mapping[str, Any]], bound: Mapping[str, Value]
    ) -> dict[str, Value]:
        """The values of those parameters that name others in the parameter store; `ServiceError` ValidationError."""
        names = {
            name: str(bound[name])
            for name, item in declared.items()
            if stored_type(item) is not None or item.get("Type") == SSM_NAME
        }
        found = await self.parameters(context, list(dict.fromkeys(names.values())))
        wanted = {name: text for name, text in names.items() if stored_type(declared[name]) is not None}
        if secure := sorted(text for text in wanted.values() if found[text]["Type"] == _SECURE):
            raise validation(
                f"Parameters [{', '.join(secure)}] referenced by template have types not supported by CloudFormation."
            )
        return {name: stored_value(name, declared[name], found[text]["Value"]) for name, text in wanted.items()}

    async def parameters(
        self, context: RequestContext, names: Sequence[str], *, decrypted: bool = False
    ) -> dict[str, dict[str, Any]]:
        """Parameters by the names that they were asked for with, versions included; `ServiceError` ValidationError."""
        found: dict[str, dict[str, Any]] = {}
        left = iter(names)
        while batch := list(islice(left, _BATCH)):
            asked = {"Names": batch, "WithDecryption": decrypted}
            try:
                reply = await self._operations.call(context, "ssm", "GetParameters", asked)
            except ServiceError as error:
                raise validation(f"{error.message} (Service: Ssm; Error Code: {error.code})") from error
            for item in reply.get("Parameters", ()):
                selector = item.get("Selector", "")
                found |= {item[key] + selector: item for key in ("Name", "ARN") if key in item}
        if missing := [name for name in names if name not in found]:
            raise validation(f"Unable to fetch parameters [{','.join(missing)}] from parameter store for this account.")
        return found

    async def plain(self, context: RequestContext, value: Any) -> Any:
        """`value` with plain parameters in the place of references to them; `ServiceError` ValidationError."""
        wanted = [item for item in references(value) if item.service == PLAIN]
        if not wanted:
            return value
        found = await self.parameters(context, sorted({item.asked for item in wanted}))
        if secure := sorted({item.asked for item in wanted if found[item.asked]["Type"] == _SECURE}):
            raise validation(f"Non-secure ssm prefix was used for secure parameter: [{', '.join(secure)}]")
        return replaced(value, {item.text: found[item.asked]["Value"] for item in wanted})

    async def secrets(self, context: RequestContext, value: Any) -> dict[str, str]:
        """What the references to secrets in `value` stand for, by their texts; `ServiceError` ValidationError."""
        wanted = references(value)
        secure = [item for item in wanted if item.service == SECURE]
        names = sorted({item.asked for item in secure})
        stored = await self.parameters(context, names, decrypted=True) if names else {}
        found = {item.text: stored[item.asked]["Value"] for item in secure}
        kept: dict[tuple[str, str, str], str] = {}
        for item in sorted(item for item in wanted if item.service == SECRET):
            which = (item.name, item.version, item.stage)
            if which not in kept:
                kept[which] = await self._secret(context, item)
            found[item.text] = member(kept[which], item.key) if item.key else kept[which]
        return found

    async def _secret(self, context: RequestContext, wanted: Reference) -> str:
        asked = {"SecretId": wanted.name, "VersionId": wanted.version, "VersionStage": wanted.stage}
        given = {key: value for key, value in asked.items() if value}
        try:
            reply = await self._operations.call(context, "secretsmanager", "GetSecretValue", given)
        except ServiceError as error:
            raise validation(f"{error.message} (Service: SecretsManager; Error Code: {error.code})") from error
        if "SecretString" not in reply:
            raise validation(f"Secret {wanted.name} holds no text: a dynamic reference needs its SecretString.")
        return str(reply["SecretString"])


class Disclosing:
    """`ports.Operations` that put secrets in the place of references to them, in the very call.

    The stacks keep, compare and show the references. What a service says of a call that failed does not repeat the
    secrets that were in it.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._lookups = Lookups(operations)

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """See `ports.Operations`."""
        if service == "cloudformation":  # a nested stack keeps references, too, and resolves them by itself
            return await self._operations.call(context, service, operation, params)
        secrets = await self._lookups.secrets(context, params)
        if not secrets:
            return await self._operations.call(context, service, operation, params)
        try:
            return await self._operations.call(context, service, operation, replaced(params, secrets))
        except ServiceError as error:
            raise _masked(error, secrets.values()) from None


def _masked(error: ServiceError, secrets: Collection[str]) -> ServiceError:
    message = error.message
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            message = message.replace(secret, MASK)
    return ServiceError(error.code, message, status=error.status)
