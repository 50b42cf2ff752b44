"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.apigateway.account import Account, ClientCertificate
from mayfly.services.stacks.resources.apigateway.api_key import ApiKey
from mayfly.services.stacks.resources.apigateway.authorizer import Authorizer
from mayfly.services.stacks.resources.apigateway.deployment import Deployment
from mayfly.services.stacks.resources.apigateway.documentation import DocumentationPart, DocumentationVersion
from mayfly.services.stacks.resources.apigateway.domain_name import BasePathMapping, DomainName
from mayfly.services.stacks.resources.apigateway.gateway_response import GatewayResponse
from mayfly.services.stacks.resources.apigateway.method import Method
from mayfly.services.stacks.resources.apigateway.model import Model
from mayfly.services.stacks.resources.apigateway.request_validator import RequestValidator
from mayfly.services.stacks.resources.apigateway.resource import Resource
from mayfly.services.stacks.resources.apigateway.rest_api import RestApi
from mayfly.services.stacks.resources.apigateway.stage import Stage
from mayfly.services.stacks.resources.apigateway.usage_plan import UsagePlan
from mayfly.services.stacks.resources.apigateway.usage_plan_key import UsagePlanKey
from mayfly.services.stacks.resources.base import ResourceType

TYPES: tuple[ResourceType, ...] = (
    Account(),
    ApiKey(),
    Authorizer(),
    BasePathMapping(),
    ClientCertificate(),
    DocumentationPart(),
    DocumentationVersion(),
    DomainName(),
    UsagePlan(),
    UsagePlanKey(),
    Deployment(),
    GatewayResponse(),
    Method(),
    Model(),
    RequestValidator(),
    Resource(),
    RestApi(),
    Stage(),
)
