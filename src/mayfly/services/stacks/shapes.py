"""How stacks, their resources and events look on the wire. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from mayfly.clock import utc
from mayfly.services.stacks.intake import joined
from mayfly.services.stacks.model import Definition, Event, Resource, Stack
from mayfly.services.stacks.planner import Place, exports
from mayfly.services.stacks.predictions import shown
from mayfly.services.stacks.template.parameters import MASK, hidden

_FUNCTION_URL = re.compile(r"https?://[^/\s]+(?=/_mayfly/url/)")
SETTINGS = ("TimeoutInMinutes", "RoleARN", "NotificationARNs", "RollbackConfiguration", "StackPolicy")


def stack(item: Stack, endpoint: str) -> dict[str, Any]:
    """A `Stack` of DescribeStacks, for a caller who reached Mayfly at `endpoint`."""
    definition = item.definition if item.operation is None or item.operation.kind == "delete" else (
        item.operation.definition if item.operation.phase == "forward" else item.definition
    )  # fmt: skip
    shape: dict[str, Any] = {
        "StackId": item.id,
        "StackName": item.name,
        "CreationTime": utc(item.created_at),
        "StackStatus": item.status,
        "DisableRollback": item.options.get("DisableRollback", False),
        "EnableTerminationProtection": item.options.get("EnableTerminationProtection", False),
        "NotificationARNs": list(item.options.get("NotificationARNs", ())),
        "RollbackConfiguration": {"RollbackTriggers": [], **item.options.get("RollbackConfiguration", {})},
        "Capabilities": list(definition.capabilities),
        "Parameters": parameters(definition),
        "Tags": tags(definition),
        "Outputs": outputs(item, endpoint),
        "DriftInformation": drift_of(item),
    }
    optional = {
        "ParentId": item.options.get("ParentId"),
        "RootId": item.options.get("RootId"),
        "RoleARN": item.options.get("RoleARN"),
        "RetainExceptOnCreate": item.options.get("RetainExceptOnCreate"),
        "Description": definition.template.description,
        "StackStatusReason": item.reason,
        "LastUpdatedTime": utc(item.updated_at) if item.updated_at else None,
        "DeletionTime": utc(item.deleted_at) if item.deleted_at else None,
        "ChangeSetId": item.options.get("ChangeSetId"),
        "TimeoutInMinutes": item.options.get("TimeoutInMinutes"),
    }
    return shape | {name: value for name, value in optional.items() if value}


def drift_of(item: Stack) -> dict[str, Any]:
    """What the last look for drift found."""
    found = item.options.get("Drift")
    if found is None:
        return {"StackDriftStatus": "NOT_CHECKED"}
    return {"StackDriftStatus": found["status"], "LastCheckTimestamp": utc(found["at"])}


def summary(item: Stack) -> dict[str, Any]:
    """A `StackSummary` of ListStacks."""
    whole = stack(item, "")
    names = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus",
             "StackStatusReason", "DriftInformation", "ParentId", "RootId")  # fmt: skip
    found = {name: whole[name] for name in names if name in whole}
    return found | ({"TemplateDescription": whole["Description"]} if "Description" in whole else {})


def parameters(definition: Definition) -> list[dict[str, str]]:
    declared = definition.template.parameters
    found = []
    for name, value in definition.parameters.items():
        secret = hidden(declared.get(name, {}))
        shown = {"ParameterKey": name, "ParameterValue": MASK if secret else joined(value)}
        if name in definition.stored:
            shown["ResolvedValue"] = MASK if secret else joined(definition.stored[name])
        found.append(shown)
    return found


def declaration(name: str, declared: dict[str, Any]) -> dict[str, Any]:
    """A parameter as a template declares it."""
    default = declared.get("Default")
    found: dict[str, Any] = {"ParameterKey": name, "NoEcho": hidden(declared)}
    if default is not None:
        found["DefaultValue"] = str(default)
    if declared.get("Description"):
        found["Description"] = declared["Description"]
    return found


def tags(definition: Definition) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in definition.tags.items()]


def outputs(item: Stack, endpoint: str) -> list[dict[str, str]]:
    """Outputs as the caller can use them: function URLs begin with the `endpoint` at which it reached Mayfly.

    The one at which the stack was made may be gone: another port, another name of the machine.
    """
    found = []
    exported = exports(item.definition, Place(item.account, item.region, item.id, item.name))
    for name, value in item.outputs.items():
        value = _FUNCTION_URL.sub(lambda _: endpoint, value)
        output = item.definition.template.outputs.get(name)
        description = {"Description": output.description} if output is not None and output.description else {}
        export = {"ExportName": exported[name]} if name in exported else {}
        found.append({"OutputKey": name, "OutputValue": value, **description, **export})
    return found


def resource(
    item: Stack,
    row: Resource,
    time: str = "Timestamp",
    *,
    summary: bool = False,
    drift: tuple[str, float] | None = None,
) -> dict[str, Any]:
    """A resource; `time` is what the shape calls its last change; a summary leaves out whose it is. `drift`: what the
    last look at it found, and when."""
    drifted: dict[str, Any] = {"StackResourceDriftStatus": "NOT_CHECKED"}
    if drift is not None:
        drifted = {"StackResourceDriftStatus": drift[0], "LastCheckTimestamp": utc(drift[1])}
    shape: dict[str, Any] = {
        "LogicalResourceId": row.logical_id,
        "ResourceType": row.type,
        time: utc(row.updated_at),
        "ResourceStatus": row.status,
        "DriftInformation": drifted,
    }
    if not summary:
        shape |= {"StackName": item.name, "StackId": item.id}
    if row.physical_id:
        shape["PhysicalResourceId"] = row.physical_id
    return shape | ({"ResourceStatusReason": row.reason} if row.reason else {})


def event(item: Stack, what: Event) -> dict[str, Any]:
    shape = {
        "StackId": item.id,
        "EventId": what.id,
        "StackName": item.name,
        "LogicalResourceId": what.logical_id,
        "PhysicalResourceId": what.physical_id,
        "ResourceType": what.type,
        "Timestamp": utc(what.at),
        "ResourceStatus": what.status,
    }
    optional = {
        "ResourceStatusReason": what.reason,
        "ResourceProperties": what.properties,
        "ClientRequestToken": what.token,
    }
    return shape | {name: value for name, value in optional.items() if value}


def change(
    stored: Mapping[str, Any], physical_ids: Mapping[str, str], nested: Mapping[str, str], *, values: bool = False
) -> dict[str, Any] | None:
    """A `Change` of DescribeChangeSet, with the values of properties or without; None for one that only the other view
    has. `nested`: the change sets of nested stacks."""
    name, action = stored["logical_id"], stored["action"]
    prediction = shown(stored, values=values)
    if prediction is None:
        return None
    resource: dict[str, Any] = {"Action": action, "LogicalResourceId": name, "ResourceType": stored["type"]}
    resource |= prediction
    if physical_ids.get(name) and action not in ("Add", "Import"):
        resource["PhysicalResourceId"] = physical_ids[name]
    if action == "Modify":
        resource["Replacement"] = stored["replacement"]
    if name in nested:
        resource["ChangeSetId"] = nested[name]
    return {"Type": "Resource", "ResourceChange": resource}
