"""Whether a function that is ready could run here now: what it stands on may have gone since it was made.

A level of isolation is required that it does not have, or this machine gives it no more; the runtime was taken away.
Nothing of that is stored: it holds as long as it is so. Used where a function's state is asked for.
"""

from typing import NamedTuple

from mayfly.services.contract import ServiceError
from mayfly.services.functions import runtimes
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.functions.model import Function, Version


class Unfit(NamedTuple):
    """Why it cannot, in AWS's code for it and in words."""

    code: str
    reason: str


class Fitness:
    """Asks the rest of the platform."""

    def __init__(self, levels: FunctionLevels, choose: runtimes.Runtimes) -> None:
        self._levels = levels
        self._choose = choose

    async def of(self, function: Function, runs: Function | Version) -> Unfit | None:
        """`runs`: what of the function is to run. None: nothing is in its way, or it is not ready anyway."""
        if runs.state != "Active":
            return None
        try:
            await self._levels.check(function.tags)
        except ServiceError as error:
            return Unfit("InvalidConfiguration", error.message)
        if runs.configuration.package != "Zip":
            return None
        try:
            runtimes.choose(self._choose, runs.configuration.runtime)
        except ServiceError as error:
            return Unfit("InvalidRuntime", error.message)
        return None
