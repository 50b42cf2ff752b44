"""Keys that AWS has for its services.

A template that names one asks for what is stored to be encrypted by whoever stores it, which here is the disk under
Mayfly's data; so it is left out. A key of one's own is the service's to refuse.
"""

from collections.abc import Mapping
from typing import Any

AWS_KEYS = "alias/aws/"
KEY = "KmsMasterKeyId"


def without_aws_keys(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """`properties` without a `KmsMasterKeyId` that is AWS's."""
    if not str(properties.get(KEY, "")).startswith(AWS_KEYS):
        return properties
    return {name: value for name, value in properties.items() if name != KEY}
