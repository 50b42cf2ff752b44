"""`Layers` of CreateFunction and UpdateFunctionConfiguration: from ARNs to what a function keeps of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mayfly.sandbox.wasm import artifacts
from mayfly.services.contract import RequestContext
from mayfly.services.functions import faults
from mayfly.services.functions.layers import names, repository
from mayfly.services.functions.model import Code, Configuration, Layer
from mayfly.services.functions.names import Home
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader, Store

MOST_LAYERS = 5
# Layers of others whose work the platform does itself, by account: the AWS Lambda Web Adapter. They are shown, and
# bring nothing.
_STOOD_IN_FOR = {"753240598075": ("LambdaAdapterLayerX86", "LambdaAdapterLayerArm64")}


def applied(configuration: Configuration, layers: Sequence[Layer] | None) -> Configuration:
    """With these layers; None: nobody spoke of them. `ServiceError` where the runtime has no place for any."""
    if layers is not None:
        configuration = msgspec.structs.replace(configuration, layers=tuple(layers))
    if configuration.layers and configuration.runtime == artifacts.NAME:
        raise faults.invalid_parameter(
            f"Layers are not supported for functions of the runtime {artifacts.NAME}: modules have no files."
        )
    return configuration


def check_size(code: Code, configuration: Configuration, limits: FunctionLimits) -> None:
    """`ServiceError` when the package and the layers of a function are too large together."""
    size = code.unzipped + sum(layer.unzipped for layer in configuration.layers)
    if configuration.layers and size > limits.unzipped_bytes:
        raise faults.invalid_parameter(
            f"Function code combined with layers exceeds the maximum allowed size of {limits.unzipped_bytes} bytes. "
            f"The actual size is {size} bytes."
        )


class Attaching:
    """Looks up layers that requests name."""

    def __init__(self, store: Store, home: Home) -> None:
        self._store = store
        self._home = home

    async def asked(self, params: Mapping[str, Any], context: RequestContext) -> tuple[Layer, ...] | None:
        """The layers that a request names, in their order; None when it does not speak of them. `ServiceError`."""
        arns: Sequence[str] | None = params.get("Layers")
        if not arns:
            return None if arns is None else ()
        if len(arns) > MOST_LAYERS:
            raise faults.invalid_parameter(f"Cannot reference more than {MOST_LAYERS} layers.")
        return await self._store.read(lambda reader: self._found(reader, arns, context))

    def _found(self, reader: Reader, arns: Sequence[str], context: RequestContext) -> tuple[Layer, ...]:
        found: dict[str, Layer] = {}  # by layer
        for arn in arns:
            named = names.parse_version(arn)
            if named is not None and named.region != self._home.region:
                raise faults.invalid_parameter(
                    "Layers are not in the same region as the function. "
                    f"Layers are expected to be in region {self._home.region}."
                )
            if named is not None and named.layer in _STOOD_IN_FOR.get(named.account, ()):
                found[f"{named.account}:{named.layer}"] = Layer(arn, "", 0, 0)
                continue
            if named is not None and named.account != self._home.account:
                raise names.not_allowed(context, "GetLayerVersion", arn)
            version = repository.find(reader, named.layer, named.number) if named is not None else None
            if version is None:
                raise faults.invalid_parameter(f"Layer version {arn} does not exist.")
            if other := found.get(version.name):
                raise faults.invalid_parameter(
                    "Two different versions of the same layer are not allowed to be referenced in the same function. "
                    f"{other.arn} and {arn} are versions of the same layer."
                )
            found[version.name] = version.used(arn)
        return tuple(found.values())
