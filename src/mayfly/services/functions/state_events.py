"""What the default event bus hears of functions. Pure.

AWS has no such events but those of CloudTrail, so the source is Mayfly's own, `mayfly.functions`, and the detail types
are "Function Created", "Function Updated", "Function State Change" and "Function Deleted".
"""

from typing import Any, Final, NamedTuple

from mayfly.services.functions.model import Function

SOURCE: Final = "mayfly.functions"


class BusEvent(NamedTuple):
    """What `ports.PlatformEvents` is told."""

    detail_type: str
    detail: dict[str, Any]


def told(old: Function | None, new: Function | None, arn: str) -> BusEvent | None:
    """The event of a change from `old` (None: there was none) to `new` (None: it is gone); None: nobody cares."""
    if new is None:
        assert old is not None
        return BusEvent("Function Deleted", {"function-name": old.name, "function-arn": arn})
    detail: dict[str, Any] = {
        "function-name": new.name,
        "function-arn": arn,
        "state": new.state,
        "last-update-status": _update_status(new),
        "revision-id": new.revision_id,
    }
    update = new.update
    more = {
        "state-reason": new.state_reason,
        "state-reason-code": new.state_reason_code,
        "last-update-status-reason": None if update is None else update.reason,
        "last-update-status-reason-code": None if update is None else update.reason_code,
    }
    detail |= {name: value for name, value in more.items() if value is not None}
    if old is None:
        return BusEvent("Function Created", detail)
    if (old.state, _update_status(old)) != (new.state, _update_status(new)):
        before = {"previous-state": old.state, "previous-last-update-status": _update_status(old)}
        return BusEvent("Function State Change", detail | before)
    if (old.code, old.configuration) != (new.code, new.configuration):
        return BusEvent("Function Updated", detail)
    return None


def _update_status(function: Function) -> str:
    if function.update is None:
        return "Successful"
    return "Failed" if function.update.failed else "InProgress"
