"""What parameters tell the default bus: that one was changed, and what its policies did."""

from mayfly.services.configs.parameters.model import Parameter, Place, Policy
from mayfly.services.ports import PlatformEvents
from mayfly.store.api import Tx

_SOURCE = "aws.ssm"


def changed(events: PlatformEvents, tx: Tx, operation: str, place: Place, parameter: Parameter) -> None:
    """`operation`: Create, Update, Delete or LabelParameterVersion."""
    latest = parameter.latest
    detail = {"operation": operation, "name": parameter.name, "type": latest.kind}
    if latest.description:
        detail["description"] = latest.description
    events.emit(tx, _SOURCE, "Parameter Store Change", detail, (place.arn,))


def acted(events: PlatformEvents, tx: Tx, place: Place, parameter: Parameter, policy: Policy, reason: str) -> None:
    """One of its policies is due, and was carried out."""
    detail = {
        "parameter-name": parameter.name,
        "parameter-type": parameter.latest.kind,
        "policy-type": policy.kind,
        "policy-content": policy.text,
        "action-status": "Success",
        "action-reason": reason,
    }
    events.emit(tx, _SOURCE, "Parameter Store Policy Action", detail, (place.arn,))
