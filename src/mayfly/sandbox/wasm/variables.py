"""What an instance is told of its call, beside the variables of its function. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# The fields of a call in the order of `frames.call_head`, under the names of the Runtime API's headers.
_OF_CALL = (
    "LAMBDA_RUNTIME_AWS_REQUEST_ID",
    "LAMBDA_RUNTIME_DEADLINE_MS",
    "LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN",
    "_X_AMZN_TRACE_ID",
    "LAMBDA_RUNTIME_CLIENT_CONTEXT",
    "LAMBDA_RUNTIME_COGNITO_IDENTITY",
    "LAMBDA_RUNTIME_AWS_TENANT_ID",
)


def of_call(fields: Sequence[str]) -> dict[str, str]:
    """The variables of one call, whose fields are as `frames.call_fields` gives them."""
    return {name: value.replace("\0", "") for name, value in zip(_OF_CALL, fields, strict=False) if value}
