"""The URIs of integrations: what they lead to, with variables of the stage in their places. Pure."""

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")
_FUNCTION = re.compile(
    r"arn:[^:]+:apigateway:[^:]*:lambda:path/(?:2015-03-31|2021-11-15)/functions/(.+)/(?:response-streaming-)?invocations"
)


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """`text` with what the stage says for `${stageVariables.x}`; nothing for what it does not say."""
    if "${" not in text:
        return text
    return _VARIABLE.sub(lambda match: variables.get(match[1], ""), text)


def function_of(uri: str) -> str | None:
    """The ARN of the function that a URI leads to; None where it is something else."""
    match = _FUNCTION.fullmatch(uri)
    return match[1] if match is not None else None


def execute_arn(region: str, account: str, api_id: str, stage: str, verb: str, path: str) -> str:
    """Of a method, as permissions and policies name it."""
    return (
        f"arn:aws:execute-api:{region}:{account}:{api_id}/{stage}/{verb}{path if path.startswith('/') else '/' + path}"
    )
