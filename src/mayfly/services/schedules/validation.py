"""Requests as schedules: every rule that needs no stored state. What the model says (lengths, patterns, ranges), the
wire has checked before."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from mayfly.policy import recurrence
from mayfly.policy.recurrence import At, InvalidExpressionError, UnknownZoneError
from mayfly.services.contract import ServiceError
from mayfly.services.schedules import faults, universal
from mayfly.services.schedules.model import DEFAULT_GROUP, MAX_AGE_S, MAX_RETRIES, Schedule

if TYPE_CHECKING:
    from types_boto3_scheduler.type_defs import CreateScheduleInputTypeDef

START_PAST_S = 300.0
_MAX_INPUT_BYTES = 256 * 1024
# Parameters of targets that Mayfly does not have, or does not have yet.
_UNKNOWN_PARAMETERS = (
    "EcsParameters",
    "EventBridgePutEventsV2Parameters",
    "EventBridgePutRawEventsParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
)


class Callable(Protocol):
    """What validation asks of the operations that universal targets may name."""

    async def find(self, service: str, action: str) -> tuple[str, str] | None: ...


def schedule_of(request: "CreateScheduleInputTypeDef", serial: str, now: float) -> Schedule:
    """The schedule that a request describes, made now; ValidationException."""
    expression, zone = request["ScheduleExpression"], request.get("ScheduleExpressionTimezone", "UTC")
    start, end = _moment(request.get("StartDate")), _moment(request.get("EndDate"))
    _check_time(expression, zone, start, end, now)
    return Schedule(
        group=request.get("GroupName", DEFAULT_GROUP),
        name=request["Name"],
        serial=serial,
        expression=expression,
        zone=zone,
        state=request.get("State", "ENABLED"),
        action=request.get("ActionAfterCompletion", "NONE"),
        target=_target(request["Target"]),
        created_at=now,
        modified_at=now,
        anchor=now,
        start=start,
        end=end,
        window_minutes=_window(request["FlexibleTimeWindow"]),
        description=request.get("Description"),
        kms_key=request.get("KmsKeyArn"),
    )


async def check_target(schedule: Schedule, operations: Callable) -> None:
    """ValidationException unless the schedule's target is of a kind that can be sent what it is to get."""
    target = schedule.target
    arn: str = target["Arn"]
    for name in _UNKNOWN_PARAMETERS:
        if name in target:
            raise faults.invalid(f"Mayfly does not implement the targets that {name} is for.")
    call = universal.call_of(arn)
    if call is not None:
        if call.reads_only:
            raise faults.invalid(f"{arn} is no supported target: the action {call.action} only reads.")
        if await operations.find(call.service, call.action) is None:
            raise faults.invalid(
                f"{arn} is no supported target: Mayfly does not implement {call.action} of {call.service}."
            )
        _check_json(target)
        return
    _check_templated(arn, target)


def _check_templated(arn: str, target: dict[str, Any]) -> None:
    try:
        kind = universal.kind_of(arn)
    except ValueError:
        raise faults.bad_arn() from None
    if arn.startswith("arn:aws:scheduler:::") or kind == "absent":
        raise faults.invalid(f"{arn} is no supported target: Mayfly does not have this service or operation.")
    if kind in ("function", "bus", "states"):
        _check_json(target)
    if kind == "bus" and "EventBridgeParameters" not in target:
        raise faults.invalid("EventBridgeParameters must be specified when the target is an event bus.")
    if kind != "bus" and "EventBridgeParameters" in target:
        raise faults.invalid("EventBridgeParameters can only be specified when the target is an event bus.")
    if kind != "queue" and "SqsParameters" in target:
        raise faults.invalid("SqsParameters can only be specified when the target is an Amazon SQS queue.")
    if kind == "queue" and arn.endswith(".fifo") and not target.get("SqsParameters", {}).get("MessageGroupId"):
        raise faults.invalid("SqsParameters.MessageGroupId must be specified when the target is a FIFO queue.")


def _check_json(target: dict[str, Any]) -> None:
    if "Input" not in target:
        return
    try:
        msgspec.json.decode(target["Input"].replace("<aws.scheduler.", "").encode())
    except (msgspec.DecodeError, RecursionError) as error:
        raise faults.invalid(f"The Input of this target must be well-formed JSON: {error}") from None


def _check_time(expression: str, zone: str, start: float | None, end: float | None, now: float) -> None:
    try:
        parsed = recurrence.parse(expression)
    except InvalidExpressionError:
        raise faults.bad_expression(expression) from None
    try:
        recurrence.zone(zone)
    except UnknownZoneError:
        raise faults.bad_zone(zone) from None
    if isinstance(parsed, At):
        return
    if start is not None and start < now - START_PAST_S:
        raise faults.invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end is not None and end <= (now if start is None else start):
        raise faults.invalid("The EndDate you specify must come after the StartDate, and after now.")


def _window(window: Any) -> int | None:
    minutes: int | None = window.get("MaximumWindowInMinutes")
    if window["Mode"] == "OFF":
        if minutes is not None:
            raise faults.invalid("MaximumWindowInMinutes cannot be specified when the Mode of the window is OFF.")
        return None
    if minutes is None:
        raise faults.invalid("MaximumWindowInMinutes must be specified when the Mode of the window is FLEXIBLE.")
    return minutes


def _target(given: Any) -> dict[str, Any]:
    """The target as it is kept, and shown: with its retry policy."""
    target: dict[str, Any] = json.loads(json.dumps(given))
    if len(target.get("Input", "").encode()) > _MAX_INPUT_BYTES:
        raise faults.invalid("The Input of a target can be at most 256 KB.")
    if target.get("DeadLetterConfig", {}).get("Arn", "").endswith(".fifo"):
        raise faults.invalid("The dead-letter queue of a schedule cannot be a FIFO queue.")
    policy = target.get("RetryPolicy", {})
    target["RetryPolicy"] = {
        "MaximumEventAgeInSeconds": policy.get("MaximumEventAgeInSeconds", MAX_AGE_S),
        "MaximumRetryAttempts": policy.get("MaximumRetryAttempts", MAX_RETRIES),
    }
    return target


def _moment(given: "datetime | str | None") -> float | None:
    if given is None:
        return None
    if isinstance(given, str):  # from inside the platform, where nothing has read it yet
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise ServiceError("ValidationException", f"{given!r} is no date.") from None
    return given.timestamp()
