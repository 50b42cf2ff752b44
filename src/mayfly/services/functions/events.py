"""`ports.EventTargets`: how other services invoke functions, asynchronously and within their own transactions."""

from mayfly.services.functions import faults, resource_policy, tenancy, version_repository
from mayfly.services.functions.asynchronous import EventQueue
from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.durable.config import UNQUALIFIED
from mayfly.services.functions.names import Home
from mayfly.services.functions.resource_policy import INVOKE, Attempt
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx


class FunctionEventTargets:
    """Functions as targets of events."""

    def __init__(self, home: Home, catalog: Catalog, events: EventQueue) -> None:
        self._home = home
        self._catalog = catalog
        self._events = events

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        """`ServiceError` ResourceNotFoundException, or AccessDeniedException when the policy does not allow it."""
        named = self._home.parse(arn)
        entry = await self._catalog.get(named.name, named.qualifier)
        named_arn = self._home.arn(named.name, named.qualifier)
        attempt = Attempt(INVOKE, principal, source_arn, source_account)
        if not resource_policy.allows(entry.subject.policy, attempt):
            raise faults.access_denied(
                f"The resource policy of {named_arn} does not let {principal} invoke it on behalf of "
                f"{source_arn}. Allow it with AddPermission."
            )

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        """Accept one invocation; `ServiceError` ResourceNotFoundException for a function that is not there,
        InvalidParameterValueException for one whose calls have to say who the tenant is."""
        named = self._home.parse(arn)
        entry = self._catalog.peek(named.name, named.qualifier)
        found = entry or version_repository.resolve(tx, named.name, named.qualifier)
        if found is None:
            raise faults.function_not_found(self._home.arn(named.name, named.qualifier))
        tenancy.of_call(found.function.configuration, None)
        if found.function.configuration.durable is not None and named.qualifier is None:
            raise faults.invalid_parameter(UNQUALIFIED)
        self._events.put_new(tx, named, event, options.trace_header)
