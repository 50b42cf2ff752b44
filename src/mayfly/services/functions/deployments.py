"""What of a function can run: $LATEST and its published versions, and the key under which the engine knows each.

For those who show how a function stands; calls go through `catalog`.
"""

from dataclasses import dataclass

from mayfly.services.functions import capacity, repository, version_repository
from mayfly.services.functions.engine_targets import TargetFactory
from mayfly.services.functions.image_code import ImageSource
from mayfly.services.functions.model import LATEST, Configuration, Function, Scaling, Version, VersionState
from mayfly.store.api import Reader, Store


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of them."""

    version: str
    key: str  # of its target
    state: VersionState
    state_reason: str | None
    snap_start: bool  # whether instances are to start from after init
    optimized: bool  # whether they can
    unoptimized_because: str | None
    scaling: Scaling | None = None
    calls_at_a_time: int = 1  # that an instance may run


class Deployments:
    """Reads them."""

    def __init__(self, store: Store, targets: TargetFactory, images: ImageSource) -> None:
        self._store = store
        self._targets = targets
        self._images = images

    async def of(self, name: str) -> list[Deployment]:
        """$LATEST first, then versions as they were published; empty when there is no such function."""

        def body(reader: Reader) -> list[Deployment]:
            function = repository.find(reader, name)
            if function is None:
                return []
            versions = version_repository.versions(reader, name, 0, version_repository.ALL)
            at_a_time = _calls_at_a_time(function.configuration)
            latest = Deployment(
                LATEST,
                self._targets.key(function),
                function.standing,
                self._reason(function),
                False,
                False,
                None,
                None,
                at_a_time,
            )
            return [latest, *(self._published(function, version) for version in versions)]

        return await self._store.read(body)

    def _reason(self, function: Function) -> str | None:
        """Why $LATEST is in its state, and how far the image is that it waits for."""
        if (awaited := function.awaited) is None:
            failed = function.update.reason if function.update is not None else None
            return f"its last update failed: {failed}" if failed else function.state_reason
        text = function.state_reason if function.state == "Pending" else "An update is in progress."
        progress = self._images.progress(awaited)
        return f"{text} ({progress})" if progress else text

    def _published(self, function: Function, version: Version) -> Deployment:
        return Deployment(
            version.label,
            self._targets.key(function, version),
            version.standing,
            version.state_reason,
            version.configuration.snap_start,
            version.optimized,
            version.unoptimized_because,
            version.scaling,
            _calls_at_a_time(version.configuration),
        )


def _calls_at_a_time(configuration: Configuration) -> int:
    return capacity.calls_at_a_time(configuration.capacity, configuration.memory_mb)
