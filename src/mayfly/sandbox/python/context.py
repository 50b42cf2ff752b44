"""The `context` that a handler gets: the attributes and methods that AWS documents, made from the INVOKE frame."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from mayfly.sandbox.python.failures import RuntimeFault

_FIXED = (
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
)


class _Record:
    """An object with fixed attributes, None where the sender said nothing."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, values: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self) -> str:
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class CognitoIdentity(_Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, identity_id: str | None = None, pool_id: str | None = None) -> None:
        self.cognito_identity_id = identity_id
        self.cognito_identity_pool_id = pool_id


class Client(_Record):
    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")


class ClientContext(_Record):
    __slots__ = ("client", "custom", "env")

    custom: Any
    env: Any
    client: Any

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        if isinstance(self.client, dict):
            self.client = Client(self.client)


class Fixed(NamedTuple):
    """What is the same in every call of an instance."""

    function_name: Optional[str] = None  # noqa: UP045 (read at run time on Python 3.9)
    function_version: Optional[str] = None  # noqa: UP045
    memory_limit_in_mb: Optional[str] = None  # noqa: UP045
    log_group_name: Optional[str] = None  # noqa: UP045
    log_stream_name: Optional[str] = None  # noqa: UP045

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Fixed:
        return cls(*map(environment.get, _FIXED))


class LambdaContext:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(
        self,
        request_id: str,
        arn: str,
        deadline_ms: int,
        fixed: Fixed,
        client_context: ClientContext | None = None,
        identity: CognitoIdentity | None = None,
        tenant_id: str | None = None,
    ) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        (
            self.function_name,
            self.function_version,
            self.memory_limit_in_mb,
            self.log_group_name,
            self.log_stream_name,
        ) = fixed
        self.tenant_id = tenant_id
        self.client_context = client_context
        self.identity = identity if identity is not None else CognitoIdentity()
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the function's log as it is, without a line end of its own."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return "LambdaContext([" + ",".join(f"{name}={value}" for name, value in shown.items()) + "])"


def context_of(fields: list[str], fixed: Fixed) -> LambdaContext:
    """From the fields of an INVOKE; `RuntimeFault` when one of its JSON texts is none."""
    request_id, deadline_ms, arn, _, client, identity, tenant = fields
    if not client and not identity:
        return LambdaContext(request_id, arn, int(deadline_ms), fixed, tenant_id=tenant or None)
    client_values, identity_values = _object(client, "Client Context"), _object(identity, "Cognito Identity") or {}
    return LambdaContext(
        request_id,
        arn,
        int(deadline_ms),
        fixed,
        ClientContext(client_values) if client_values is not None else None,
        CognitoIdentity(identity_values.get("cognitoIdentityId"), identity_values.get("cognitoIdentityPoolId")),
        tenant or None,
    )


def _object(text: str, name: str) -> dict[str, Any] | None:
    """The object in a header's JSON text."""
    if not text:
        return None
    try:
        value = json.loads(text)
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except ValueError as error:
        message = f"Unable to parse {name} JSON: {error}"
        raise RuntimeFault("Runtime.LambdaContextUnmarshalError", message) from None
    return value
