"""What an alias may lead to: versions that are there, and that go together. Used by whoever makes or moves one."""

from mayfly.services.functions import faults, version_repository
from mayfly.services.functions.model import LATEST, Alias
from mayfly.services.functions.names import Home
from mayfly.store.api import Reader


def check(reader: Reader, alias: Alias, home: Home) -> None:
    """`ServiceError` unless the versions of `alias` are there, and go together."""
    name = alias.function_name
    if alias.second is not None and alias.version == LATEST:
        raise faults.invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version")
    if alias.second == alias.version:
        raise faults.invalid_parameter(
            f"Invalid function version {alias.version}. Function version {alias.version} is already included in "
            "routing configuration."
        )
    for version in (alias.version, alias.second):
        if version is not None and version_repository.resolve(reader, name, version) is None:
            raise faults.function_not_found(home.arn(name, version))
    if alias.provisioned is not None:
        _check_provisioned(reader, alias)


def _check_provisioned(reader: Reader, alias: Alias) -> None:
    """An alias takes its provisioned concurrency along, so where it goes there must be room for it."""
    if alias.version == LATEST:
        raise faults.unpublished_provisioning()
    for other in version_repository.provisioned(reader, alias.function_name):
        versions = (other.version, other.second) if isinstance(other, Alias) else (other.label,)
        itself = isinstance(other, Alias) and other.name == alias.name
        if not itself and {alias.version, alias.second} & {*versions} - {None}:
            raise faults.version_provisioned()
    for label in (alias.version, alias.second):
        version = version_repository.find_version(reader, alias.function_name, label) if label else None
        if version is not None and version.configuration.snap_start:
            raise faults.snap_start_provisioning()
        if version is not None and version.scaling is not None:
            raise faults.scaled_version(version.label)
