"""Runs hook functions. What a hook decides, it reports by PutLifecycleEventHookExecutionStatus; one that fails has
decided as well. A hook that a dead server had begun is called again: at least once, as its author is told."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from mayfly import ids
from mayfly.engine.api import ThrottledError
from mayfly.errors import PlatformError
from mayfly.services.contract import ServiceError
from mayfly.services.functions.asked import Asked
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.invoker import Invoker
from mayfly.services.functions.names import Home
from mayfly.services.functions.rollouts.model import Hook, Rollout

PAUSE_S: Final = 1.0
MOST_TRIES: Final = 60  # while nothing can run
_MESSAGE: Final = 500

_log = logging.getLogger(__name__)

Report = Callable[[str, str, str], Awaitable[None]]  # rollout, execution, why it failed


class Hooks:
    """Calls hooks, each once as long as this process lives."""

    def __init__(self, home: Home, catalog: Catalog, calls: Invoker, failed: Report) -> None:
        """`failed` is told of hooks that cannot report any more."""
        self._home = home
        self._catalog = catalog
        self._calls = calls
        self._failed = failed
        self._called: set[str] = set()

    def begin(self, tasks: asyncio.TaskGroup, rollout: Rollout) -> None:
        """Call the hook that `rollout` waits for, unless that was done."""
        for hook in (rollout.before, rollout.after):
            if hook is not None and hook.status == "InProgress" and hook.execution_id not in self._called:
                self._called.add(hook.execution_id)
                tasks.create_task(self._run(rollout, hook), name=f"hook {hook.function} of {rollout.id}")

    def forget(self, rollout: Rollout) -> None:
        """It is over."""
        self._called -= {hook.execution_id for hook in (rollout.before, rollout.after) if hook is not None}

    async def _run(self, rollout: Rollout, hook: Hook) -> None:
        """The boundary around a hook."""
        try:
            why = await self._call(rollout, hook)
            if why is not None:
                await self._failed(rollout.id, hook.execution_id, why[:_MESSAGE])
        except Exception as error:
            self._called.discard(hook.execution_id)  # the next look tries again
            expected = isinstance(error, PlatformError)
            _log.warning(
                "the hook %s of %s could not be called: %s", hook.function, rollout.id, error, exc_info=not expected
            )

    async def _call(self, rollout: Rollout, hook: Hook) -> str | None:
        """None, or why it failed."""
        event = {"DeploymentId": rollout.id, "LifecycleEventHookExecutionId": hook.execution_id}
        try:
            reference = self._home.parse(hook.function)
            entry = await self._catalog.get(reference.name, reference.qualifier)
        except ServiceError as error:
            return error.message
        arn = self._home.arn(reference.name, reference.qualifier)
        asked = Asked(json.dumps(event).encode(), ids.request_id(), arn, "event")
        for _ in range(MOST_TRIES):
            try:
                invocation = await self._calls.invoke(entry, asked)
            except ThrottledError:
                await asyncio.sleep(PAUSE_S)
                continue
            if invocation.result.failed:
                return invocation.result.payload.decode(errors="replace")
            return None
        return "It was throttled for a minute."
