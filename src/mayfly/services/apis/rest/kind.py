"""REST APIs, built: operations on the wire, and what answers their requests."""

from mayfly.services.apis.authorizers.key_sets import KeySets
from mayfly.services.apis.integrations.backends import backends
from mayfly.services.apis.parts import Kind, Parts
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.key_values import KeyValues
from mayfly.services.apis.rest.operations.account import AccountOperations
from mayfly.services.apis.rest.operations.api_keys import ApiKeyOperations
from mayfly.services.apis.rest.operations.authorizers import AuthorizerOperations
from mayfly.services.apis.rest.operations.deployments import DeploymentOperations
from mayfly.services.apis.rest.operations.documentation import DocumentationOperations
from mayfly.services.apis.rest.operations.exports import ExportOperations
from mayfly.services.apis.rest.operations.gateway_responses import GatewayResponseOperations
from mayfly.services.apis.rest.operations.imports import ImportOperations
from mayfly.services.apis.rest.operations.integrations import IntegrationOperations
from mayfly.services.apis.rest.operations.methods import MethodOperations
from mayfly.services.apis.rest.operations.models import ModelOperations
from mayfly.services.apis.rest.operations.resources import ResourceOperations
from mayfly.services.apis.rest.operations.rest_apis import RestApiOperations
from mayfly.services.apis.rest.operations.stages import StageOperations
from mayfly.services.apis.rest.operations.tags import TagOperations
from mayfly.services.apis.rest.operations.trying import TryingOperations
from mayfly.services.apis.rest.operations.usage_plans import UsagePlanOperations
from mayfly.services.apis.rest.operations.validators import ValidatorOperations
from mayfly.services.apis.rest.serving.arrival import Home
from mayfly.services.apis.rest.serving.authorizing import Authorizing
from mayfly.services.apis.rest.serving.caching import Caches
from mayfly.services.apis.rest.serving.integrating import Integrating
from mayfly.services.apis.rest.serving.metered import Metered
from mayfly.services.apis.rest.serving.noting import Noting
from mayfly.services.apis.rest.serving.pipeline import Pipeline, Steps
from mayfly.services.apis.rest.serving.views import Views


def rest(parts: Parts) -> Kind:
    """The kind "rest"."""
    account, region = parts.settings.account, parts.settings.region
    views, caches, values = Views(parts.store), Caches(parts.clock), KeyValues(parts.vault)
    metered = Metered(parts.store, values, parts.clock)
    authorizing = Authorizing(
        parts.functions, parts.signatures, KeySets(parts.outgoing, parts.clock), parts.clock, region, account
    )
    integrating = Integrating(backends(parts), parts.vault, region, account, parts.clock)
    steps = Steps(
        authorizing,
        metered,
        caches,
        integrating,
        Noting(parts.records, parts.counts, parts.clock),
    )
    editing = Editing(
        parts.store, parts.clock, parts.directory, account, region, [views.forget, caches.flush, authorizing.forget]
    )
    return Kind(
        groups={
            "apigateway": (
                RestApiOperations(editing),
                ResourceOperations(editing),
                MethodOperations(editing),
                IntegrationOperations(editing),
                DeploymentOperations(editing),
                AuthorizerOperations(editing),
                GatewayResponseOperations(editing),
                ModelOperations(editing),
                ValidatorOperations(editing),
                ImportOperations(editing),
                TagOperations(editing),
                ApiKeyOperations(editing, values, metered.forget),
                UsagePlanOperations(editing, values, metered.forget),
                DocumentationOperations(editing),
                AccountOperations(editing, parts.vault),
                TryingOperations(editing, integrating, authorizing),
                ExportOperations(editing),
                StageOperations(editing, caches.flush, authorizing.forget),
            )
        },
        answers={"rest": Pipeline(views, steps, parts.clock, Home(account, region))},
    )
