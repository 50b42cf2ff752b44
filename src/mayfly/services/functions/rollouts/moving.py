"""The alias of a rollout: whether it still is as the rollout left it, and moved on or back, in a transaction.

A rollout never overrules anybody: an alias that somebody else moved stays where they put it, and the rollout fails.
"""

import msgspec

from mayfly import ids
from mayfly.policy.rollouts import steps
from mayfly.services.contract import ServiceError
from mayfly.services.functions import alias_rules, version_repository
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.model import LATEST, Alias
from mayfly.services.functions.names import Home
from mayfly.services.functions.provisioning import Provisioner
from mayfly.services.functions.rollouts.model import Rollout
from mayfly.store.api import Reader, Tx


def obstacle(reader: Reader, rollout: Rollout, home: Home) -> str | None:
    """Why the alias cannot be moved on; None: it can."""
    alias = version_repository.find_alias(reader, rollout.function, rollout.alias)
    if alias is None:
        return f"The alias {rollout.qualified} is not there any more."
    if (alias.version, alias.second, alias.weight) != _placed(rollout, rollout.share):
        return f"The alias {rollout.qualified} was changed by somebody else, and stays as it was left."
    return _refused(reader, rollout, alias, home)


def first_obstacle(reader: Reader, rollout: Rollout, home: Home) -> str | None:
    """Why a rollout cannot begin."""
    alias = version_repository.find_alias(reader, rollout.function, rollout.alias)
    if alias is None:
        return f"There is no alias {rollout.qualified}."
    if alias.second is not None:
        return f"The alias {rollout.qualified} shares its calls between two versions already."
    if alias.version != rollout.old:
        return f"The alias {rollout.qualified} leads to the version {alias.version}, not to {rollout.old}."
    if version_repository.resolve(reader, rollout.function, rollout.new) is None:
        return f"There is no version {rollout.new} of {rollout.function}."
    if rollout.new != rollout.old and LATEST in (rollout.new, rollout.old) and rollout.shape.kind != "all-at-once":
        return f"Calls cannot be shared with {LATEST}; publish a version, or shift all calls at once."
    return _refused(reader, rollout, alias, home)


def _refused(reader: Reader, rollout: Rollout, alias: Alias, home: Home) -> str | None:
    """What is to be said against the steps that are left."""
    for share in sorted({max(rollout.share, steps(rollout.shape)[0].share), 1.0}):
        version, second, weight = _placed(rollout, share)
        moved = msgspec.structs.replace(alias, version=version, second=second, weight=weight)
        try:
            alias_rules.check(reader, moved, home)
        except ServiceError as error:
            return error.message
    return None


class Mover:
    """Moves aliases."""

    def __init__(self, catalog: Catalog, provisioner: Provisioner) -> None:
        self._catalog = catalog
        self._provisioner = provisioner

    def move(self, tx: Tx, rollout: Rollout, share: float) -> None:
        """Give the new version `share` of the calls, 0 for none. The alias is there."""
        alias = version_repository.find_alias(tx, rollout.function, rollout.alias)
        assert alias is not None, "an obstacle is looked for first"
        version, second, weight = _placed(rollout, share)
        if (alias.version, alias.second, alias.weight) == (version, second, weight):
            return
        moved: Alias = msgspec.structs.replace(
            alias, version=version, second=second, weight=weight, revision_id=ids.request_id()
        )
        version_repository.update_alias(tx, moved)
        self._catalog.changed(tx, moved)
        self._provisioner.touch(tx, rollout.function)


def _placed(rollout: Rollout, share: float) -> tuple[str, str | None, float]:
    """Version, second version and its weight, with `share` of the calls for the new one."""
    if share >= 1.0:
        return rollout.new, None, 0.0
    if share <= 0.0:
        return rollout.old, None, 0.0
    return rollout.old, rollout.new, share
