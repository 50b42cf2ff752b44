"""The features of functions, a line each; what they keep is listed in the package itself. Called by `on_the_wire`."""

from collections.abc import Sequence

from mayfly.services.functions.durable.feature import DurableFunctions
from mayfly.services.functions.layers.feature import Layers
from mayfly.services.functions.mappings.feature import Mappings
from mayfly.services.functions.parts import Feature, Parts
from mayfly.services.functions.providers.feature import Providers
from mayfly.services.functions.rollouts.feature import Rollouts
from mayfly.services.functions.signing.feature import Signing


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
