"""The types of this package: a module each, or one for a few of a kind. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.apigatewayv2.api import Api
from mayfly.services.stacks.resources.apigatewayv2.domain_name import ApiMapping, DomainName
from mayfly.services.stacks.resources.apigatewayv2.managed_overrides import ApiGatewayManagedOverrides
from mayfly.services.stacks.resources.apigatewayv2.parts import (
    Authorizer,
    Integration,
    IntegrationResponse,
    Model,
    Route,
    RouteResponse,
)
from mayfly.services.stacks.resources.apigatewayv2.stage import Deployment, Stage
from mayfly.services.stacks.resources.base import ResourceType

TYPES: tuple[ResourceType, ...] = (
    Api(),
    ApiGatewayManagedOverrides(),
    ApiMapping(),
    Authorizer(),
    Deployment(),
    DomainName(),
    Integration(),
    IntegrationResponse(),
    Model(),
    Route(),
    RouteResponse(),
    Stage(),
)
