"""The `context` that a handler gets: the attributes and methods that AWS documents, made from the INVOKE frame."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any


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


class LambdaContext:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(
        self,
        request_id: str,
        arn: str,
        deadline_ms: int,
        client_context: dict[str, Any] | None,
        identity: dict[str, Any] | None,
    ) -> None:
        environ = os.environ
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.tenant_id: str | None = None
        self.client_context = ClientContext(client_context) if client_context is not None else None
        identity = identity or {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the function's log as it is, without a line end of its own."""
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return "LambdaContext([" + ",".join(f"{name}={value}" for name, value in shown.items()) + "])"


def parse_json(text: str | None) -> dict[str, Any] | None:
    """The object in a header's JSON text; ValueError."""
    if not text:
        return None
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
