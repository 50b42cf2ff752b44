"""Stacks, built: the service `cloudformation`."""

from collections.abc import Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.ports import UNHEARD, CodeSource, Operations, PlatformEvents
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.operations.change_sets import ChangeSetOperations
from mayfly.services.stacks.operations.changing import ChangingOperations
from mayfly.services.stacks.operations.describing import DescribingOperations
from mayfly.services.stacks.operations.templates import TemplateOperations
from mayfly.services.stacks.planner import Types
from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.telling import Telling
from mayfly.store.api import Store


class StacksService:
    """`start` once the services behind `operations` answer; `stop` before the store closes."""

    name = "cloudformation"

    def __init__(
        self,
        store: Store,
        operations: Operations,
        code_source: CodeSource,
        clock: Clock,
        types: Types | None = None,
        events: PlatformEvents = UNHEARD,
    ) -> None:
        known = resource_types() if types is None else types
        self._intake = Intake(code_source, known)
        self.driver = Driver(store, clock, known, operations, Telling(events))
        self.operations: Mapping[str, Handler] = operations_of(
            ChangingOperations(store, clock, self._intake, self.driver, known),
            ChangeSetOperations(store, clock, self._intake, self.driver, known),
            DescribingOperations(store),
            TemplateOperations(store, self._intake, known),
        )

    async def start(self) -> None:
        """Go on with the operations that the last process left unfinished."""
        await self.driver.start()

    async def stop(self) -> None:
        """Put running operations down where they are; the next start goes on with them."""
        await self.driver.stop()
        self._intake.close()
