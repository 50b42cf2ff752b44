"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.lambda_.alias import Alias
from mayfly.services.stacks.resources.lambda_.capacity_provider import CapacityProvider
from mayfly.services.stacks.resources.lambda_.code_signing_config import CodeSigningConfig
from mayfly.services.stacks.resources.lambda_.event_invoke_config import EventInvokeConfig
from mayfly.services.stacks.resources.lambda_.event_source_mapping import EventSourceMapping
from mayfly.services.stacks.resources.lambda_.function import Function
from mayfly.services.stacks.resources.lambda_.layer_permission import LayerPermission
from mayfly.services.stacks.resources.lambda_.layer_version import LayerVersion
from mayfly.services.stacks.resources.lambda_.permission import Permission
from mayfly.services.stacks.resources.lambda_.url import Url
from mayfly.services.stacks.resources.lambda_.version import Version

TYPES: tuple[ResourceType, ...] = (
    Alias(),
    CapacityProvider(),
    CodeSigningConfig(),
    EventInvokeConfig(),
    EventSourceMapping(),
    Function(),
    LayerPermission(),
    LayerVersion(),
    Permission(),
    Url(),
    Version(),
)
