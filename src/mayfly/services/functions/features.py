"""The features of functions, a line each in both lists: what they keep, and what they are. Called by `service`."""

from collections.abc import Sequence

from mayfly.services.functions.durable.feature import DurableFunctions
from mayfly.services.functions.layers.feature import Layers
from mayfly.services.functions.mappings.feature import Mappings
from mayfly.services.functions.parts import Feature, Parts
from mayfly.services.functions.providers.feature import Providers
from mayfly.services.functions.rollouts.feature import Rollouts
from mayfly.services.functions.signing.feature import Signing

# The packages with migrations.
MIGRATED = (
    "mayfly.services.functions",
    "mayfly.services.functions.durable",
    "mayfly.services.functions.layers",
    "mayfly.services.functions.mappings",
    "mayfly.services.functions.rollouts",
    "mayfly.services.functions.providers",
    "mayfly.services.functions.signing",
    "mayfly.services.functions.tasks",
)


def features(parts: Parts) -> Sequence[Feature]:
    """Every feature, in the order in which they start; they stop in reverse."""
    return (
        Layers(parts),
        DurableFunctions(parts),
        Mappings(parts),
        Rollouts(parts),
        Providers(parts),
        Signing(parts),
    )
