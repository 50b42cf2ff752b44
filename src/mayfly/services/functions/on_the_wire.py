"""Functions on the wire: the operations of `lambda`, and the features, of which some are services besides.

Built by the composition root on a `FunctionsService`, when somebody asks for an operation or there are functions: calls
by URL and by other services go without. Features resume here what the last server left.
"""

from collections.abc import Mapping, Sequence

from mayfly.services.contract import Handler, Service, operations_of
from mayfly.services.functions.features import features
from mayfly.services.functions.operations.groups import groups
from mayfly.services.functions.parts import Serving
from mayfly.services.functions.service import FunctionsService

GRACE_S = 5.0


class Lambda:
    """`contract.Service`."""

    name = "lambda"

    def __init__(self, *groups: object) -> None:
        self.operations: Mapping[str, Handler] = operations_of(*groups)


class FunctionsOnTheWire:
    """`start` it after `functions`, and `stop` it before them. `service` is lambda, `services` all that answers."""

    def __init__(self, functions: FunctionsService) -> None:
        parts = functions.parts
        self.features = features(parts)
        own = groups(parts, functions.inside)
        self.service = Lambda(*own, *(group for feature in self.features for group in feature.operations))
        self.services: Sequence[Service] = (
            self.service,
            *(feature.service for feature in self.features if isinstance(feature, Serving)),
        )

    async def start(self) -> None:
        """Begin what features do in the background."""
        for feature in self.features:
            await feature.start()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """End it; what takes longer than `grace_s` is cut short."""
        for feature in reversed(self.features):
            await feature.stop(grace_s)
