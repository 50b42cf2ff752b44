"""The variables of functions at rest: sealed in what is stored, open in what operations and the catalog work with.

A stored configuration has `sealed` and no `environment`; one that was opened has it the other way round. Whoever reads
a configuration to show it, to compare it or to run it opens it; whoever writes one seals it. What cannot be opened any
more stays sealed, so that a function whose key was lost can still be looked at, changed and given new variables.
"""

import logging
from typing import TypeVar

import msgspec

from mayfly.errors import PlatformError
from mayfly.services.functions.model import Configuration, Function, Version
from mayfly.services.functions.version_repository import Found
from mayfly.services.ports import Vault

_F = TypeVar("_F", bound=Function | Version)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, str]).decode

_log = logging.getLogger(__name__)


class VariablesLostError(PlatformError):
    """The variables of a function cannot be read: the key that they were sealed with is gone."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variables of {name} cannot be decrypted; set them again")


class Variables:
    """Seals and opens."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def opened(self, runs: _F) -> _F:
        """`runs` with its variables readable; as it is where they cannot be read."""
        if runs.configuration.sealed is None:
            return runs
        try:
            plain = self._vault.open(runs.configuration.sealed, _about(runs))
        except PlatformError:
            _log.exception("the variables of %s cannot be read", _name(runs))
            return runs
        return _with(runs, msgspec.structs.replace(runs.configuration, environment=_decode(plain), sealed=None))

    def sealed(self, runs: _F) -> _F:
        """`runs` as it is stored."""
        variables = runs.configuration.environment
        if variables is None:
            return runs
        sealed = self._vault.seal(_encode(variables), _about(runs))
        return _with(runs, msgspec.structs.replace(runs.configuration, environment=None, sealed=sealed))

    def of_found(self, found: Found) -> Found:
        """`Found`, opened."""
        version = self.opened(found.version) if found.version is not None else None
        return found._replace(function=self.opened(found.function), version=version)


def checked(configuration: Configuration, name: str) -> dict[str, str]:
    """The variables to run with; `VariablesLostError`."""
    if configuration.sealed is not None:
        raise VariablesLostError(name)
    return configuration.environment or {}


def _with(runs: _F, configuration: Configuration) -> _F:
    return msgspec.structs.replace(runs, configuration=configuration)


def _name(runs: Function | Version) -> str:
    return runs.name if isinstance(runs, Function) else runs.function_name


def _about(runs: Function | Version) -> str:
    """Versions have the variables that the function had, so they are sealed for the function."""
    return f"variables of function {_name(runs)}"
