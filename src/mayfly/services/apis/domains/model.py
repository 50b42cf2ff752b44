"""The nouns of custom domain names."""

from typing import Final

from msgspec import Struct

MAX_DOMAINS: Final = 120
MAX_MAPPINGS: Final = 200
HOSTED_ZONE: Final = "Z1UJRXOUMOOFQ8"  # of regional endpoints, as AWS names it in us-east-1


class Domain(Struct, frozen=True):
    """A name under which APIs are reached."""

    name: str
    regional_name: str  # what a DNS record would point to
    endpoint_type: str = "REGIONAL"  # "EDGE"
    certificate_arn: str | None = None  # only recorded: TLS is not spoken here
    certificate_name: str | None = None
    security_policy: str = "TLS_1_2"
    ip_address_type: str = "ipv4"
    tags: dict[str, str] = {}


class Mapping(Struct, frozen=True):
    """Which stage answers below a path of a name."""

    id: str
    path: str  # without slashes at its ends; empty: all that no other mapping has
    api_id: str
    stage: str  # empty: the path of a request goes on with one
