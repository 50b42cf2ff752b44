"""What a target gets: the schedule's input with its context attributes, or the notification of a schedule without one.

Pure. The attributes are those of "Adding context attributes in EventBridge Scheduler".
"""

import json

from mayfly.clock import utc
from mayfly.services.ports import MessageAttribute
from mayfly.services.schedules.model import Delivery
from mayfly.services.schedules.names import Home

MAX_MESSAGE_BYTES = 256 * 1024


def moment(at: float) -> str:
    """A moment as AWS writes it, in whole seconds."""
    return utc(int(at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def payload(delivery: Delivery, home: Home, event_id: str) -> str:
    """What the target of this attempt is given."""
    given: str | None = delivery.target.get("Input")
    if given is None:
        return _notification(delivery, home, event_id)
    if "<aws.scheduler." not in given:
        return given
    attributes = {
        "schedule-arn": home.schedule_arn(delivery.group, delivery.name),
        "scheduled-time": moment(delivery.at),
        "execution-id": delivery.execution_id,
        "attempt-number": str(delivery.attempts + 1),
    }
    for name, value in attributes.items():
        given = given.replace(f"<aws.scheduler.{name}>", value)
    return given


def _notification(delivery: Delivery, home: Home, event_id: str) -> str:
    return json.dumps(
        {
            "version": "0",
            "id": event_id,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": home.account,
            "time": moment(delivery.at),
            "region": home.region,
            "resources": [home.schedule_arn(delivery.group, delivery.name)],
            "detail": "{}",
        },
        separators=(",", ":"),
    )


def dead_letter(
    delivery: Delivery, home: Home, body: str, exhausted: str | None
) -> tuple[str, dict[str, MessageAttribute]]:
    """The message for the dead-letter queue: what the target would have got, and why it has not ("Configuring a
    schedule's dead-letter queue"). `exhausted`: the part of the retry policy that ended it."""
    data = body.encode()
    truncated = len(data) > MAX_MESSAGE_BYTES
    texts = {
        "ERROR_CODE": delivery.error_code,
        "ERROR_MESSAGE": delivery.error_message[:1024],
        "EXECUTION_ID": delivery.execution_id,
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "IS_PAYLOAD_TRUNCATED": "true" if truncated else "false",
        "SCHEDULED_TIME": moment(delivery.at),
        "SCHEDULE_ARN": home.schedule_arn(delivery.group, delivery.name),
        "TARGET_ARN": delivery.target["Arn"],
    }
    attributes = {name: MessageAttribute("String", value) for name, value in texts.items() if value}
    attributes["RETRY_ATTEMPTS"] = MessageAttribute("Number", str(max(0, delivery.attempts - 1)))
    shown = data[:MAX_MESSAGE_BYTES].decode(errors="ignore") if truncated else body
    return shown, attributes
