"""What stands in for a function's code while somebody works on it: in memory, for $LATEST alone, never stored.

`Development` puts it there, `TargetFactory` asks for it. A substitute stands over one package: as soon as the function
has another one, because somebody deployed, it is void. So whatever is acknowledged by UpdateFunctionCode runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from mayfly.services.functions.model import Code, Function


@dataclass(frozen=True, slots=True)
class Probe:
    """What an instance has that a debugger is to be attached to."""

    timeout_s: int  # of its calls, and of its init: nobody is hurried while they look at a variable
    handler: str | None = None  # which loads the function's own; None: the function's own
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Substitute:
    """What $LATEST of one function runs on."""

    over: str  # the package that it stands for, by its SHA-256
    code: Code  # a tree of the library that is no package
    mark: str  # instances are shared among equal ones only
    probe: Probe | None = None  # there is one instance then


class Substitutes:
    """By the name of the function."""

    def __init__(self) -> None:
        self._by_name: dict[str, Substitute] = {}

    def put(self, name: str, substitute: Substitute) -> None:
        self._by_name[name] = substitute

    def drop(self, name: str) -> None:
        """Idempotent."""
        self._by_name.pop(name, None)

    def for_(self, function: Function) -> Substitute | None:
        """What stands for its code now."""
        found = self._by_name.get(function.name)
        valid = found is not None and found.over == function.code.sha256 and function.code.image is None
        return found if valid else None

    def of(self, function: Function) -> Function:
        """The function as it is to run: itself where nothing stands in for it."""
        substitute = self.for_(function)
        if substitute is None:
            return function
        configuration = function.configuration
        if (probe := substitute.probe) is not None:
            configuration = msgspec.structs.replace(
                configuration,
                handler=probe.handler or configuration.handler,
                timeout_s=probe.timeout_s,
                environment={**(configuration.environment or {}), **probe.variables},
            )
        return msgspec.structs.replace(
            function,
            code=substitute.code,
            configuration=configuration,
            deployment_id=f"{function.deployment_id}.{substitute.mark}",
        )
