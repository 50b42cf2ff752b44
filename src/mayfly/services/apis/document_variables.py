"""Variables that an OpenAPI document may name the place with that it is imported to. Pure.

`${AWS::AccountId}`, `${AWS::Partition}` and `${AWS::Region}` ("AWS variables for OpenAPI import"), wherever a text is.
"""

import re
from typing import Any

from mayfly.ids import PARTITION

_VARIABLE = re.compile(r"\$\{AWS::(AccountId|Partition|Region)\}")


def resolved(document: dict[str, Any], account: str, region: str) -> dict[str, Any]:
    """The document with what the variables stand for. It was checked for how deep it is before."""
    values = {"AccountId": account, "Partition": PARTITION, "Region": region}

    def walked(value: Any) -> Any:
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: values[match[1]], value)
        if isinstance(value, dict):
            return {key: walked(item) for key, item in value.items()}
        return [walked(item) for item in value] if isinstance(value, list) else value

    return {key: walked(item) for key, item in document.items()}
