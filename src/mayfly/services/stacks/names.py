"""Names and ids of stacks."""

import re

from mayfly.ids import request_id
from mayfly.services.contract import RequestContext
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.planner import Place

_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


def new_place(context: RequestContext, name: str, stack_id: str | None = None) -> Place:
    """Where a new stack will be evaluated. Its id is made here, unless there is one for it already."""
    if not _NAME.fullmatch(name):
        raise validation(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    chosen = stack_id or context.arn("cloudformation", f"stack/{name}/{request_id()}")
    return Place(context.account, context.region, chosen, name)
