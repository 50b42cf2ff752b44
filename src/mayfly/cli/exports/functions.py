"""Functions, and what belongs to one: URLs, permissions, settings of asynchronous calls. `versions` has the rest."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.configuring import configured, own_addresses
from mayfly.cli.exports.things import Name, Reading, Thing, said, tags_of, unless
from mayfly.cli.exports.versions import ALIAS, FUNCTION, LATEST, VERSION, numbered, published

SIGNING = "AWS::Lambda::CodeSigningConfig"
_EVENTS = "AWS::Lambda::EventInvokeConfig"
_GONE = "ResourceNotFoundException"
_CONDITIONS = {
    "AWS:SourceArn": "SourceArn",
    "AWS:SourceAccount": "SourceAccount",
    "aws:PrincipalOrgID": "PrincipalOrgID",
    "lambda:EventSourceToken": "EventSourceToken",
    "lambda:FunctionUrlAuthType": "FunctionUrlAuthType",
    "lambda:InvokedViaFunctionUrl": "InvokedViaFunctionUrl",
}


def functions(reading: Reading) -> Iterator[Thing]:
    """All functions that no stack has; of those that one has, what it does not."""
    signed = _signed(reading)
    unknown = 0  # settings of asynchronous calls that may belong to a stack, which knows them by no name of theirs
    for listed in reading.pages("lambda", "list_functions", "Functions"):
        name, arn = listed["FunctionName"], listed["FunctionArn"]
        aliases = list(reading.pages("lambda", "list_aliases", "Aliases", FunctionName=name))
        settings = list(_settings_of_events(reading, name, arn))
        qualifiers = ["", *(one["Name"] for one in aliases)]
        if not reading.is_held(FUNCTION, name):
            yield _function(reading, name, signed)
            versions = _versions(reading, name)
            yield from published(reading, name, arn, versions, aliases)
            yield from settings
            qualifiers += [one["Version"] for one in versions]
        else:
            unknown += len(settings)
            if loose := [one["Name"] for one in aliases if not reading.is_held(ALIAS, one["AliasArn"])]:
                qualifiers = [one for one in qualifiers if one not in loose]
                reading.notes.append(
                    f"{name} belongs to a stack, and its aliases {', '.join(loose)} to none: left out, because the "
                    "versions of a stack have other numbers where it is deployed"
                )
        yield from _urls(reading, name, arn, qualifiers)
        for qualifier in qualifiers:
            yield from _permissions(reading, name, arn, qualifier)
    held = sum(kind == _EVENTS for kind, _ in reading.held)
    if unknown > held:
        reading.notes.append(
            f"{unknown - held} of the settings of asynchronous calls (EventInvokeConfig) of functions of stacks were "
            "made outside of them: left out, since nothing tells which"
        )


def _versions(reading: Reading, name: str) -> list[dict[str, Any]]:
    listed = reading.pages("lambda", "list_versions_by_function", "Versions", FunctionName=name)
    return [one for one in listed if one["Version"] != LATEST]


def _signed(reading: Reading) -> dict[str, tuple[str, str]]:
    """Of functions with a code signing configuration, by ARN: that of the configuration, and its policy."""
    found: dict[str, tuple[str, str]] = {}
    for one in reading.pages("lambda", "list_code_signing_configs", "CodeSigningConfigs"):
        arn, policy = one["CodeSigningConfigArn"], one["CodeSigningPolicies"]["UntrustedArtifactOnDeployment"]
        which = reading.pages(
            "lambda", "list_functions_by_code_signing_config", "FunctionArns", CodeSigningConfigArn=arn
        )
        found |= dict.fromkeys(which, (arn, policy))
    return found


def _function(reading: Reading, name: str, signed: Mapping[str, tuple[str, str]]) -> Thing:
    client = reading.client("lambda")
    found = client.get_function(FunctionName=name)
    had = found["Configuration"]
    properties = {"FunctionName": name, **configured(reading, had), **found.get("Concurrency", {})}
    loops = unless(_GONE, client.get_function_recursion_config, FunctionName=name) or {}
    properties |= said(loops, "RecursiveLoop", {"RecursiveLoop": "Terminate"})
    managed = client.get_runtime_management_config(FunctionName=name)
    if managed["UpdateRuntimeOn"] != "Auto":
        properties["RuntimeManagementConfig"] = said(managed, "UpdateRuntimeOn RuntimeVersionArn")
    config, policy = signed.get(had["FunctionArn"], ("", ""))
    if config and policy != "Enforce":
        properties["CodeSigningConfigArn"] = config
    properties |= tags_of(found.get("Tags"))
    _remark(reading, name, had, config if policy == "Enforce" else "")
    address = "" if had["PackageType"] == "Image" else found["Code"]["Location"]
    return Thing(
        FUNCTION, name, name, properties, {"Arn": had["FunctionArn"]}, address=address, sha256=had["CodeSha256"]
    )


def _remark(reading: Reading, name: str, had: Mapping[str, Any], enforced: str) -> None:
    """Say what of a function is not in its properties, and what they need elsewhere."""
    if own := own_addresses(had):
        reading.notes.append(f"{name}: {', '.join(own)} named an address of this platform, and is left out")
    if "Error" in had.get("Environment", {}):
        reading.notes.append(f"{name}: its variables cannot be decrypted here, and are left out")
    if enforced:
        reading.notes.append(
            f"{name}: {enforced} refuses all code, so the template leaves it away: put it on the function afterwards"
        )
    if had.get("Runtime") == "wasm":
        reading.notes.append(f"{name}: the runtime wasm is Mayfly's own; AWS Lambda does not have it")
    if had["PackageType"] == "Image":
        reading.notes.append(f"{name}: its image is not written; push or import it there first (`mayfly image import`)")
    if "DurableConfig" in had:
        running = reading.pages(
            "lambda", "list_durable_executions_by_function", "DurableExecutions", FunctionName=name,
            Statuses=["RUNNING"],
        )  # fmt: skip
        if count := sum(1 for _ in running):
            reading.notes.append(f"{name}: its {count} running durable executions stay here; templates have none")


def _urls(reading: Reading, name: str, arn: str, qualifiers: list[str]) -> Iterator[Thing]:
    kind = "AWS::Lambda::Url"
    for found in reading.pages("lambda", "list_function_url_configs", "FunctionUrlConfigs", FunctionName=name):
        qualifier = found["FunctionArn"].removeprefix(arn).lstrip(":")
        if reading.is_held(kind, found["FunctionArn"]) or qualifier not in qualifiers:
            continue
        properties = {
            "TargetFunctionArn": Name(FUNCTION, name),
            **({"Qualifier": qualifier} if qualifier else {}),
            **said(found, "AuthType InvokeMode Cors", {"InvokeMode": "BUFFERED"}),
        }
        yield Thing(
            kind, f"{name} {qualifier} url", "", properties, {"FunctionUrl": found["FunctionUrl"]},
            foreseen=False, after=(found["FunctionArn"],) if qualifier else (),
        )  # fmt: skip


def _settings_of_events(reading: Reading, name: str, arn: str) -> Iterator[Thing]:
    listed = reading.pages(
        "lambda", "list_function_event_invoke_configs", "FunctionEventInvokeConfigs", FunctionName=name
    )
    for found in listed:
        qualifier = found["FunctionArn"].rpartition(":")[2]
        told = {key: value for key, value in found.get("DestinationConfig", {}).items() if value}
        yield Thing(
            _EVENTS,
            f"{name} {'' if qualifier == LATEST else qualifier} events",
            "",
            {
                "FunctionName": Name(FUNCTION, name),
                "Qualifier": numbered(arn, qualifier) if qualifier.isdecimal() else qualifier,
                **{key: found[key] for key in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds") if key in found},
                **({"DestinationConfig": told} if told else {}),
            },
            after=(found["FunctionArn"],) if qualifier != LATEST else (),
        )


def _permissions(reading: Reading, name: str, arn: str, qualifier: str) -> Iterator[Thing]:
    kind = "AWS::Lambda::Permission"
    client = reading.client("lambda")
    which = {"FunctionName": name, **({"Qualifier": qualifier} if qualifier else {})}
    found = unless(_GONE, client.get_policy, **which)
    for statement in json.loads(found["Policy"])["Statement"] if found else ():
        if reading.is_held(kind, statement["Sid"]):
            continue
        properties = _permission(statement)
        if properties is None:
            reading.notes.append(f"{name}: no template can say what its policy says as {statement['Sid']}: left out")
            continue
        kind_of = VERSION if qualifier.isdecimal() else ALIAS
        whose = Name(kind_of, f"{arn}:{qualifier}") if qualifier else Name(FUNCTION, name)
        yield Thing(
            kind, f"{name} {qualifier} {statement['Sid']} permission", "", {"FunctionName": whose, **properties}
        )


def _permission(statement: Mapping[str, Any]) -> dict[str, Any] | None:
    """A statement as the properties of a permission; None if it says more than they can."""
    principal = statement["Principal"]
    if isinstance(principal, dict):
        ((_, principal),) = principal.items()
    action = statement["Action"]
    if statement["Effect"] != "Allow" or not isinstance(action, str) or not isinstance(principal, str):
        return None
    properties: dict[str, Any] = {"Action": action, "Principal": principal}
    for conditions in statement.get("Condition", {}).values():
        for key, value in conditions.items():
            member = next((ours for theirs, ours in _CONDITIONS.items() if theirs.lower() == key.lower()), None)
            if member is None or not isinstance(value, str | bool):
                return None
            properties[member] = value in (True, "true") if member == "InvokedViaFunctionUrl" else value
    return properties
