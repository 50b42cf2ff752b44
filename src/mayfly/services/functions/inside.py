"""What the operations of functions stand on besides `parts.Parts`, and what no feature has to do with."""

from dataclasses import dataclass

from mayfly.services.functions import runtimes
from mayfly.services.functions.egress import FunctionEgress
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.functions.model import Architecture
from mayfly.services.functions.tasks.assembly import Asynchronous


@dataclass(frozen=True)
class Inside:
    """Handed by `service` to `operations.groups`."""

    asynchronous: Asynchronous
    host: Architecture
    choose: runtimes.Runtimes
    levels: FunctionLevels
    egress: FunctionEgress
