"""Taking operations on stacks on: from a request to a row that the driver works on, in one commit.

Used by the handlers of the wire, and by `children` for stacks that are resources of stacks.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.ports import Roles
from mayfly.services.stacks import stack_policy, statements
from mayfly.services.stacks.driver import Driver
from mayfly.services.stacks.faults import unsupported, validation
from mayfly.services.stacks.intake import Intake, Prepared
from mayfly.services.stacks.model import Definition, Operation, Stack
from mayfly.services.stacks.names import new_place
from mayfly.services.stacks.planner import Place, Types, changes, draft, told
from mayfly.services.stacks.records import find_stack, insert_stack, save_stack
from mayfly.services.stacks.resources.base import Restless
from mayfly.services.stacks.sealing import Store, Tx

_UPDATABLE = {
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED", "CREATE_FAILED",
    "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
}  # fmt: skip
NO_UPDATES = "No updates are to be performed."
MOST_TOPICS, MOST_TRIGGERS = 5, 5
SERVICE = "cloudformation.amazonaws.com"


class Parent(NamedTuple):
    """Whose resource a nested stack is, and the id that it gives it."""

    child_id: str
    stack_id: str
    root_id: str
    operation_id: str
    fails_alone: bool  # it is not to roll back: the stack around it is to be looked at as it is


class Acceptance:
    def __init__(
        self, store: Store, clock: Clock, intake: Intake, driver: Driver, types: Types, roles: Roles | None
    ) -> None:
        self.intake = intake
        self._store = store
        self._clock = clock
        self._driver = driver
        self._types = types
        self._roles = roles

    async def create(self, context: RequestContext, params: Mapping[str, Any], parent: Parent | None = None) -> str:
        """The id of a new stack; `ServiceError`."""
        place = new_place(context, params["StackName"], parent.child_id if parent is not None else None)
        prepared = await self.intake.prepare(context, params, place, None)
        options = await self.options(context, params, {})
        if parent is not None:
            options |= {"ParentId": parent.stack_id, "RootId": parent.root_id}
        now, minutes = self._clock.now(), params.get("TimeoutInMinutes")
        token = params.get("ClientRequestToken", "")
        wanted = Operation(
            "create",
            "forward",
            await self.acting(context, options),
            prepared.definition,
            on_failure="DO_NOTHING" if parent is not None else on_failure(params),
            token=token,
            deadline=None if minutes is None else now + 60 * minutes,
            spare_none=params.get("RetainExceptOnCreate", False),
        )
        stack = new_stack(context, place, now, "CREATE_IN_PROGRESS", options | _asked("create", token), wanted)

        def write(tx: Tx) -> str:
            if not insert_stack(tx, stack):
                found = find_stack(tx, context, stack.name)
                if repeated(found, "create", token):
                    return found.id
                raise ServiceError("AlreadyExistsException", f"Stack [{stack.name}] already exists", status=400)
            self._driver.telling.stack(tx, stack, now)
            tx.after_commit(lambda: self._driver.launch(stack.id))
            return stack.id

        return await self._store.write(write)

    async def update(
        self, context: RequestContext, stack: Stack, params: Mapping[str, Any], parent: Parent | None = None
    ) -> None:
        """Begin an update; `ServiceError` ValidationError `NO_UPDATES` if there is nothing to do."""
        token = params.get("ClientRequestToken", "")
        if repeated(stack, "update", token):
            return
        check_updatable(stack)
        prepared = await self.intake.prepare(context, params, place_of(stack), stack.definition)
        options = await self.options(context, params, stack.options)
        if self._same(stack, prepared, options, nested=parent is not None):
            raise validation(NO_UPDATES)
        wanted = Operation(
            "update",
            "forward",
            await self.acting(context, options),
            prepared.definition,
            on_failure="DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK",
            token=token,
            held=parent is not None,
            spare_none=params.get("RetainExceptOnCreate", False),
            policy=await self._policy(context, params, "StackPolicyDuringUpdate"),
        )
        options |= {"DisableRollback": params.get("DisableRollback", False)} | _asked("update", token)
        if parent is not None:
            options |= {"ParentOperation": parent.operation_id}

        def settle(tx: Tx) -> None:
            # They were drawn up against what is about to change.
            tx.run(statements.CHANGE_SETS_OBSOLETE, {"stack_id": stack.id})

        await self.begin(context, stack, "UPDATE_IN_PROGRESS", wanted, options, settle)

    def _same(self, stack: Stack, prepared: Prepared, options: Mapping[str, Any], *, nested: bool) -> bool:
        """Whether there is nothing to do. What is below a nested stack nobody knows before it is looked at."""
        if stack.status in ("UPDATE_FAILED", "CREATE_FAILED"):
            return False
        restless = any(isinstance(self._types[item.type], Restless) for item in prepared.drafts.values())
        place = place_of(stack)
        now, then = stack.definition, prepared.definition
        rest = now.template.description != then.template.description or told(now, place) != told(then, place)
        settings = any(stack.options.get(name) != options.get(name) for name in ("RollbackConfiguration", "RoleARN"))
        if rest or restless or (settings and not nested):
            return False
        return not changes(draft(now, place, self._types), prepared.drafts, self._types)

    async def begin(
        self,
        context: RequestContext,
        seen: Stack,
        status: str,
        wanted: Operation,
        options: Mapping[str, Any],
        also: Callable[[Tx], None] | None = None,
        reason: str = "User Initiated",
    ) -> None:
        """Accept an operation on a stack that must still be as it was `seen`; nothing where the same request, sent
        twice at a time, was accepted meanwhile."""

        def write(tx: Tx) -> None:
            stack = find_stack(tx, context, seen.id)
            if stack != seen:
                if _begun_already(stack, wanted, options):
                    return
                raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
            begun = msgspec.structs.replace(
                stack,
                status=status,
                reason=reason,
                operation=wanted,
                updated_at=self._clock.now(),
                options=dict(options),
            )
            save_stack(tx, begun)
            if also is not None:
                also(tx)
            self._driver.telling.stack(tx, begun, self._clock.now())
            tx.after_commit(lambda: self._driver.launch(stack.id))

        await self._store.write(write)

    async def acting(self, context: RequestContext, options: Mapping[str, Any]) -> RequestContext:
        """The context in which an operation is carried out: the caller's, or that of the stack's role."""
        own = detached(context)
        role = options.get("RoleARN")
        if role is None:
            return own
        if self._roles is None:
            raise unsupported("RoleARN", "there are no roles here")
        if not await self._roles.trusts(role, SERVICE):
            raise validation(f"Role {role} is invalid or cannot be assumed")
        name = role.rpartition("/")[2]
        arn = f"arn:aws:sts::{own.account}:assumed-role/{name}/AWSCloudFormation"
        principal = Principal("assumed-role", own.account, arn, f"{name}:AWSCloudFormation")
        return msgspec.structs.replace(own, principal=principal)

    async def options(
        self, context: RequestContext, params: Mapping[str, Any], before: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What DescribeStacks shows beside the definition, `before` where the request does not speak of it."""
        names = ("DisableRollback", "EnableTerminationProtection", "TimeoutInMinutes", "RoleARN", "NotificationARNs",
                 "RollbackConfiguration", "RetainExceptOnCreate")  # fmt: skip
        options = {**before, **{name: params[name] for name in names if name in params}}
        if len(options.get("NotificationARNs", ())) > MOST_TOPICS:
            raise validation(f"A stack notifies {MOST_TOPICS} topics at most")
        if len(options.get("RollbackConfiguration", {}).get("RollbackTriggers", ())) > MOST_TRIGGERS:
            raise validation(f"A stack has {MOST_TRIGGERS} rollback triggers at most")
        for topic in params.get("NotificationARNs", ()):
            if not topic.startswith("arn:aws:sns:"):
                raise validation(f"Invalid notification ARN: {topic}")
        policy = await self._policy(context, params, "StackPolicy")
        return options | ({"StackPolicy": policy} if policy else {})

    async def _policy(self, context: RequestContext, params: Mapping[str, Any], prefix: str) -> str:
        body, url = params.get(f"{prefix}Body"), params.get(f"{prefix}URL")
        if body and url:
            raise validation(f"You cannot specify both {prefix}Body and {prefix}URL")
        text = await self.intake.text(context, {"TemplateURL": url}) if url else body
        return stack_policy.parse(text) if text else ""


def new_stack(
    context: RequestContext, place: Place, now: float, status: str, options: dict[str, Any], wanted: Operation | None
) -> Stack:
    """The row of a stack that has nothing yet."""
    return Stack(
        id=place.stack_id,
        account=context.account,
        region=context.region,
        name=place.stack_name,
        status=status,
        reason="User Initiated",
        created_at=now,
        updated_at=None,
        deleted_at=None,
        definition=Definition(),
        outputs={},
        options=options,
        operation=wanted,
    )


def place_of(stack: Stack) -> Place:
    return Place(stack.account, stack.region, stack.id, stack.name)


def check_updatable(stack: Stack) -> None:
    if stack.status not in _UPDATABLE or (stack.status == "CREATE_FAILED" and "ParentId" in stack.options):
        raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def on_failure(params: Mapping[str, Any]) -> Any:
    """What becomes of a creation that fails."""
    if "OnFailure" in params and "DisableRollback" in params:
        raise validation("Either OnFailure or DisableRollback can be specified, not both.")
    return "DO_NOTHING" if params.get("DisableRollback") else params.get("OnFailure", "ROLLBACK")


def _asked(verb: str, token: str) -> dict[str, Any]:
    return {"Asked": [verb, token]} if token else {}


def repeated(stack: Stack, verb: str, token: str) -> bool:
    """Whether the last request about a stack was this one: it is answered again, and nothing else happens."""
    return bool(token) and stack.options.get("Asked") == [verb, token]


def _begun_already(stack: Stack, wanted: Operation, options: Mapping[str, Any]) -> bool:
    """Whether what is `wanted` of a stack is what it was asked for since somebody looked."""
    if wanted.kind == "delete" and (stack.deleted_at or (stack.operation and stack.operation.kind == "delete")):
        return True
    asked = options.get("Asked", ["", ""])
    return bool(wanted.token) and asked[1] == wanted.token and stack.options.get("Asked") == asked


def marked(options: Mapping[str, Any], verb: str, token: str) -> dict[str, Any]:
    """The options of a stack that was asked for something just now."""
    return {**options, **_asked(verb, token)}


def detached(context: RequestContext) -> RequestContext:
    """The context without what belongs to the one request alone."""
    return RequestContext(
        context.request_id,
        context.account,
        context.region,
        context.principal,
        context.endpoint,
        context.source_ip,
        context.user_agent,
    )
