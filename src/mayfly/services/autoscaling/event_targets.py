"""Policies as actions of alarms: nothing is handed over, since whoever scales asks for the alarms' states himself."""

from collections.abc import Callable

from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx


class PolicyTargets:
    """`ports.EventTargets` for ARNs of scaling policies. `wake` is called when an alarm has spoken."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """Whether the policy is there, is found out when it is asked."""

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        tx.after_commit(self._wake)
