"""Stacks, built: the service `cloudformation`."""

from collections.abc import Iterable, Mapping

from mayfly.clock import Clock
from mayfly.services.contract import Handler, operations_of
from mayfly.services.ports import UNHEARD, CodeSource, EventTargets, Operations, PlatformEvents, Roles, Vault
from mayfly.services.stacks import inert
from mayfly.services.stacks.accepting import Acceptance
from mayfly.services.stacks.change_sets import Drawing
from mayfly.services.stacks.children import NestedStacks
from mayfly.services.stacks.detection import Detector
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.late_types import LateTypes
from mayfly.services.stacks.lookups import Disclosing
from mayfly.services.stacks.operations.change_sets import ChangeSetOperations
from mayfly.services.stacks.operations.changing import ChangingOperations
from mayfly.services.stacks.operations.describing import DescribingOperations
from mayfly.services.stacks.operations.drifting import DriftOperations
from mayfly.services.stacks.operations.exporting import ExportingOperations
from mayfly.services.stacks.operations.policies import PolicyOperations
from mayfly.services.stacks.operations.refusing import LimitOperations, refusing
from mayfly.services.stacks.operations.rolling_back import RollbackOperations
from mayfly.services.stacks.operations.templates import TemplateOperations
from mayfly.services.stacks.operations.types import TypeOperations
from mayfly.services.stacks.planner import Types
from mayfly.services.stacks.post import Addresses, Post
from mayfly.services.stacks.resources.base import Around
from mayfly.services.stacks.sealing import Store
from mayfly.services.stacks.telling import Telling
from mayfly.store import api

_NOWHERE = Addresses("http://127.0.0.1:4566", "http://127.0.0.1:4566")


class StacksService:
    """`start` once the services behind `operations` answer; `stop` before the store closes."""

    name = "cloudformation"

    def __init__(
        self,
        plain: api.Store,
        vault: Vault,
        operations: Operations,
        code_source: CodeSource,
        clock: Clock,
        types: Types | None = None,
        events: PlatformEvents = UNHEARD,
        accept_inert: Iterable[str] = (),
        targets: EventTargets | None = None,
        roles: Roles | None = None,
        addresses: Addresses = _NOWHERE,
    ) -> None:
        """`vault`: seals what is in the rows of `plain`. `targets`: where topics are notified. `addresses`: what those
        are told who answer from outside."""
        known, store = LateTypes(types), Store(plain, vault)
        self._intake = Intake(store, operations, code_source, known, inert.words(" ".join(accept_inert)))
        self.post = Post(store, clock, addresses)
        self.driver = Driver(store, clock, known, Disclosing(operations), Telling(events, targets))
        accept = Acceptance(store, clock, self._intake, self.driver, known, roles)
        around = Around(store, clock, self.post, NestedStacks(store, clock, accept, self.driver, known))
        self.driver.surround(around)
        self.detector = Detector(store, clock, known, Disclosing(operations), around)
        drawing = Drawing(store, clock, accept, self.driver, known, operations)
        self.operations: Mapping[str, Handler] = refusing() | operations_of(
            ChangingOperations(store, accept, self.driver),
            RollbackOperations(store, accept, known),
            ChangeSetOperations(store, accept, drawing),
            DescribingOperations(store),
            ExportingOperations(store),
            DriftOperations(store, self.detector),
            LimitOperations(),
            TypeOperations(known),
            PolicyOperations(store, self._intake, self.post),
            TemplateOperations(store, self._intake, known),
        )

    async def start(self) -> None:
        """Go on with the operations that the last process left unfinished."""
        await self.driver.start()
        await self.detector.start()

    async def stop(self) -> None:
        """Put running operations down where they are; the next start goes on with them."""
        await self.detector.stop()
        await self.driver.stop()
        self._intake.close()
