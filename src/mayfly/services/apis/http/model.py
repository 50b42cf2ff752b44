"""The nouns of APIs of version 2, and the quotas that Amazon API Gateway documents for them."""

from typing import Any, Final, Literal

from msgspec import Struct

Members = dict[str, Any]  # of a resource, by the names of the service's model; absent, never None
Protocol = Literal["HTTP", "WEBSOCKET"]
Kind = Literal[
    "authorizer", "deployment", "integration", "integration-response", "model", "route", "route-response", "stage"
]

DEFAULT: Final = "$default"  # the stage, and the route key
SERVICE_PRINCIPAL: Final = "apigateway.amazonaws.com"
# Quotas, by API where they are not by account and region.
MAX_APIS: Final = 600
MAX_OF: Final[dict[str, int]] = {
    "authorizer": 10,
    "integration": 300,
    "integration-response": 300,
    "model": 100,
    "route": 300,
    "route-response": 300,
    "stage": 10,
}
MAX_DEPLOYMENTS: Final = 1000
MAX_TAGS: Final = 50
HTTP_TIMEOUT_MS: Final = 30_000
WEBSOCKET_TIMEOUT_MS: Final = 29_000
PAYLOAD_BYTES: Final = 10 * 1024 * 1024

# Which kinds an API's behaviour consists of, so that a change of one of them is a change of what is deployed.
DEPLOYED: Final[tuple[Kind, ...]] = (
    "route",
    "integration",
    "authorizer",
    "model",
    "route-response",
    "integration-response",
)


class Api(Struct, frozen=True):
    """An API, without what it consists of."""

    id: str
    protocol: Protocol
    members: Members


class Part(Struct, frozen=True):
    """A route, an integration, ... of an API."""

    kind: Kind
    id: str
    members: Members
    parent: str = ""  # the route or integration that a response is of


class Content(Struct, frozen=True):
    """All that an API does, at one time."""

    api: Api
    parts: tuple[Part, ...]

    def of(self, kind: Kind) -> list[Part]:
        """The parts of one kind."""
        return [part for part in self.parts if part.kind == kind]
