"""What the contract test of resource types tries, in the modules `*_cases.py`, and what cases stand on."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Case(NamedTuple):
    type: str
    properties: dict[str, Any]
    changes: dict[str, Any]  # in place


@dataclass(frozen=True)
class Rest:
    """An API with a method, and two deployments."""

    api: str = "api"
    root: str = "root"
    resource: str = "resource"
    deployments: tuple[str, str] = ("one", "two")
    key: str = "key"
    plan: str = "plan"
    domain: str = "contract.example.com"


@dataclass(frozen=True)
class Http:
    """An HTTP API with a route, a stage and two deployments, and a WebSocket API."""

    api: str = "api"
    socket: str = "socket"
    integration: str = "integration"  # of the WebSocket API
    route: str = "route"  # likewise
    target: str = "integrations/integration"
    deployments: tuple[str, str] = ("one", "two")


@dataclass(frozen=True)
class World:
    """What is there before any case is tried."""

    role: str = "role"
    role_arn: str = "arn:aws:iam::000000000000:role/role"
    function: str = "function"  # an ARN
    bucket: str = "bucket"  # with `l.zip` in it
    layer: str = "arn:aws:lambda:us-east-1:000000000000:layer:contract-base:1"
    topic: str = "arn:aws:sns:us-east-1:000000000000:contract"
    queue: str = "arn:aws:sqs:us-east-1:000000000000:contract"
    user: str = "contract-user"
    group: str = "contract-group"
    log_group: str = "/contract"
    connection: str = "arn:aws:events:us-east-1:000000000000:connection/contract/0"  # of no secrets worth keeping
    secret: str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:contract-abcdef"
    rest: Rest = Rest()
    http: Http = Http()
