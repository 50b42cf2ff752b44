"""The operations of functions that are no feature's, by resource. Called by `on_the_wire`."""

from collections.abc import Mapping, Sequence

from mayfly.services.functions.inside import Inside
from mayfly.services.functions.mappings import tagging
from mayfly.services.functions.operations.aliases import AliasOperations
from mayfly.services.functions.operations.async_settings import AsyncSettingsOperations
from mayfly.services.functions.operations.code import CodeOperations
from mayfly.services.functions.operations.concurrency import ConcurrencyOperations
from mayfly.services.functions.operations.functions import FunctionOperations
from mayfly.services.functions.operations.invocations import InvocationOperations
from mayfly.services.functions.operations.invoke_async import InvokeAsyncOperations
from mayfly.services.functions.operations.permissions import PermissionOperations
from mayfly.services.functions.operations.provisioned import ProvisionedOperations
from mayfly.services.functions.operations.recursion import RecursionOperations
from mayfly.services.functions.operations.resource_policies import ResourcePolicyOperations
from mayfly.services.functions.operations.runtime_management import RuntimeManagementOperations
from mayfly.services.functions.operations.scaling import ScalingOperations
from mayfly.services.functions.operations.streaming import StreamingOperations
from mayfly.services.functions.operations.tags import Taggable, TagOperations
from mayfly.services.functions.operations.urls import UrlOperations
from mayfly.services.functions.operations.versions import VersionOperations
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.signing.names import KIND


def groups(parts: Parts, inside: Inside) -> Sequence[object]:
    """As `contract.operations_of` takes them."""
    asynchronous, stock = inside.asynchronous, parts.stock
    home, store, clock, limits = parts.home, parts.store, parts.clock, parts.settings.limits
    catalog, editor, publisher, provisioner = stock.catalog, stock.editor, stock.publisher, stock.provisioner
    tagged: Mapping[str, Taggable] = {
        KIND: parts.signing_configs,
        tagging.KIND: tagging.MappingTags(store),
        "capacity-provider": parts.providers,
    }
    return (
        FunctionOperations(parts, inside),
        CodeOperations(parts, inside),
        ConcurrencyOperations(home, editor, store, limits),
        TagOperations(home, editor, inside.levels, inside.egress, provisioner, tagged),
        PermissionOperations(home, editor),
        ResourcePolicyOperations(home, editor),
        UrlOperations(home, editor, store, clock),
        AsyncSettingsOperations(home, editor, store, clock, asynchronous.destinations),
        VersionOperations(home, editor, publisher, store, limits, stock.variables),
        AliasOperations(home, store, catalog, provisioner),
        ProvisionedOperations(home, editor, store, provisioner, limits, clock),
        ScalingOperations(home, editor, provisioner, limits),
        InvocationOperations(home, catalog, parts.calls, asynchronous.intake, limits),
        InvokeAsyncOperations(home, catalog, asynchronous.intake),
        RuntimeManagementOperations(home, editor),
        RecursionOperations(home, editor),
        StreamingOperations(home, catalog, parts.calls, limits),
    )
