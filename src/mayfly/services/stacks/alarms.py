"""Rollback triggers: alarms that may say no to a new definition while it is carried out, and for a while after."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.resources.base import Caller

_POLL_S = 1.0
_NAMES_A_CALL = 100


class Triggers:
    """The alarms of one stack."""

    def __init__(self, configuration: Mapping[str, Any], call: Caller) -> None:
        """`configuration` as DescribeStacks shows it."""
        self._arns: Sequence[str] = [item["Arn"] for item in configuration.get("RollbackTriggers", ())]
        self.minutes: int = configuration.get("MonitoringTimeInMinutes", 0)
        self._call = call

    def __bool__(self) -> bool:
        return bool(self._arns)

    async def objection(self) -> str | None:
        """Why the operation has to be given up, if it has."""
        names = [arn.partition(":alarm:")[2] for arn in self._arns]
        try:
            reply = await self._call("cloudwatch", "DescribeAlarms", AlarmNames=names[:_NAMES_A_CALL])
        except ServiceError as error:
            return f"The rollback triggers could not be looked at: {error.message}"
        states = {alarm["AlarmArn"]: alarm["StateValue"] for alarm in reply.get("MetricAlarms", ())}
        if missing := [arn for arn in self._arns if arn not in states]:
            return f"The following rollback triggers do not exist: [{', '.join(missing)}]"
        firing = [arn for arn in self._arns if states[arn] == "ALARM"]
        return f"The following rollback triggers went into ALARM state: [{', '.join(firing)}]" if firing else None

    async def watch(self, tell: Callable[[str], None]) -> None:
        """Call `tell` with the first objection; without one, go on until cancelled."""
        while True:
            found = await self.objection()
            if found is not None:
                tell(found)
                return
            await asyncio.sleep(_POLL_S)
