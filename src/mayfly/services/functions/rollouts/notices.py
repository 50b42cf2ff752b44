"""Who hears of a rollout: the default bus, and the targets of the group's triggers. In the caller's transaction."""

import json
import logging

from mayfly.clock import iso_millis
from mayfly.ids import PARTITION
from mayfly.services.contract import ServiceError
from mayfly.services.functions.names import Home
from mayfly.services.functions.rollouts.model import Rollout
from mayfly.services.ports import EventTargets, PlatformEvents, TargetOptions
from mayfly.store.api import Tx

SOURCE = "aws.codedeploy"
DETAIL_TYPE = "CodeDeploy Deployment State-change Notification"
_STATES = {
    "DeploymentStart": "START",
    "DeploymentSuccess": "SUCCESS",
    "DeploymentFailure": "FAILURE",
    "DeploymentStop": "STOP",
    "DeploymentRollback": "START",
}
_TRIGGERS = {"Succeeded": "DeploymentSuccess", "Failed": "DeploymentFailure", "Stopped": "DeploymentStop"}
_SUBJECT = 100

_log = logging.getLogger(__name__)


class Notices:
    """Tells of changes."""

    def __init__(self, home: Home, targets: EventTargets, events: PlatformEvents) -> None:
        self._home = home
        self._targets = targets
        self._events = events

    def changed(self, tx: Tx, before: Rollout | None, after: Rollout) -> None:
        """Tell what has become of a rollout, where that is something to tell."""
        if before is not None and before.status == after.status:
            return
        if before is None:
            self._tell(tx, after, "DeploymentRollback" if after.takes_back else "DeploymentStart")
        if not after.under_way:
            self._tell(tx, after, _TRIGGERS[after.status])

    def _tell(self, tx: Tx, rollout: Rollout, event: str) -> None:
        place = f"{self._home.region}:{self._home.account}"
        resources = (
            f"arn:{PARTITION}:codedeploy:{place}:deploymentgroup:{rollout.application}/{rollout.group}",
            f"arn:{PARTITION}:codedeploy:{place}:application:{rollout.application}",
        )
        detail = {
            "region": self._home.region,
            "deploymentId": rollout.id,
            "instanceGroupId": rollout.id,
            "deploymentGroup": rollout.group,
            "application": rollout.application,
            "state": _STATES[event],
        }
        self._events.emit(tx, SOURCE, DETAIL_TYPE, detail, resources)
        for trigger in rollout.care.triggers:
            if event in trigger.events:
                self._send(tx, rollout, event, trigger.name, trigger.target_arn)

    def _send(self, tx: Tx, rollout: Rollout, event: str, trigger: str, target: str) -> None:
        message = {
            "region": self._home.region,
            "accountId": self._home.account,
            "eventTriggerName": trigger,
            "applicationName": rollout.application,
            "deploymentId": rollout.id,
            "deploymentGroupName": rollout.group,
            "createTime": iso_millis(rollout.created_at),
            "completeTime": iso_millis(rollout.completed_at) if rollout.completed_at is not None else None,
            "status": {"DeploymentStart": "CREATED", "DeploymentRollback": "CREATED"}.get(
                event, rollout.status.upper()
            ),
        }
        if rollout.error_code:
            error = {"ErrorCode": rollout.error_code, "ErrorMessage": rollout.error_message}
            message["errorInformation"] = json.dumps(error)
        subject = f"{message['status']}: AWS CodeDeploy {rollout.id} in {self._home.region} to {rollout.application}"
        try:
            self._targets.accept(tx, target, json.dumps(message).encode(), TargetOptions(subject=subject[:_SUBJECT]))
        except ServiceError as error_:
            _log.warning("the trigger %s of deployment %s could not tell %s: %s", trigger, rollout.id, target, error_)
