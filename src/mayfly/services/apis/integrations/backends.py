"""The backends of one platform: made by each kind of API from what it is handed."""

from dataclasses import dataclass

from mayfly.services.apis.integrations.actions import Actions
from mayfly.services.apis.integrations.api import Backend, StreamingBackend
from mayfly.services.apis.integrations.functions import SERVICE, Functions
from mayfly.services.apis.integrations.mocks import Mocks
from mayfly.services.apis.integrations.services import Services
from mayfly.services.apis.integrations.web import Web
from mayfly.services.apis.parts import Parts
from mayfly.services.execution_roles import ExecutionRoles


@dataclass(frozen=True, slots=True)
class Backends:
    """What integrations of each type ask."""

    functions: StreamingBackend  # by the ARN of a function
    services: Backend  # AWS: by `arn:aws:apigateway:…`, functions included
    web: StreamingBackend  # HTTP, HTTP_PROXY
    mocks: Backend
    actions: Actions  # subtypes of HTTP APIs
    roles: ExecutionRoles


def backends(parts: Parts) -> Backends:
    """All of them."""
    account, region = parts.settings.account, parts.settings.region
    roles = ExecutionRoles(parts.roles, parts.keys, account, SERVICE, parts.clock)
    functions = Functions(parts.functions, parts.targets, roles, parts.store, account)
    return Backends(
        functions,
        Services(parts.requests, roles, functions, parts.url),
        Web(parts.outgoing),
        Mocks(),
        Actions(parts.operations, roles, account, region, parts.url),
        roles,
    )
