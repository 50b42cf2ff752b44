"""Functions, and what belongs to one: versions, aliases, URLs, permissions, settings of asynchronous calls."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Name, Reading, Thing, said, tags_of, unless

FUNCTION, ALIAS, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"
_GONE = "ResourceNotFoundException"
_SAID = "Description Handler Role Runtime Timeout MemorySize ImageConfig DurableConfig Architectures TenancyConfig"
_OWN_ADDRESSES = "AWS_ENDPOINT_URL"
_LATEST = "$LATEST"
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
    for listed in reading.pages("lambda", "list_functions", "Functions"):
        name, arn = listed["FunctionName"], listed["FunctionArn"]
        aliases = list(reading.pages("lambda", "list_aliases", "Aliases", FunctionName=name))
        if not reading.is_held(FUNCTION, name):
            yield _function(reading, name)
            yield from _published(reading, listed, aliases)
        elif loose := [one["Name"] for one in aliases if not reading.is_held(ALIAS, one["AliasArn"])]:
            reading.notes.append(f"{name} belongs to a stack, and its aliases {', '.join(loose)} to none: left out")
        yield from _urls(reading, name, arn)
        if not reading.is_held(FUNCTION, name):  # stacks know these by no name that anybody else sees
            yield from _settings_of_events(reading, name)
        yield from _permissions(reading, name, arn, "")
        for alias in aliases:
            yield from _permissions(reading, name, arn, alias["Name"])


def _function(reading: Reading, name: str) -> Thing:
    client = reading.connection.client("lambda")
    found = client.get_function(FunctionName=name)
    had = found["Configuration"]
    properties = {"FunctionName": name, **said(had, _SAID, {"Timeout": 3, "MemorySize": 128})}
    properties |= _nested(name, had)
    variables = had.get("Environment", {}).get("Variables", {})
    if own := sorted(key for key in variables if key.startswith(_OWN_ADDRESSES)):
        reading.notes.append(f"{name}: {', '.join(own)} named an address of this platform, and is left out")
    if kept := {key: value for key, value in variables.items() if key not in own}:
        properties["Environment"] = {"Variables": kept}
    if reserved := found.get("Concurrency"):
        properties |= reserved
    loops = unless(_GONE, client.get_function_recursion_config, FunctionName=name) or {}
    properties |= said(loops, "RecursiveLoop", {"RecursiveLoop": "Terminate"})
    properties |= tags_of(found.get("Tags"))
    address = "" if had["PackageType"] == "Image" else found["Code"]["Location"]
    if address:
        properties["Code"] = {}
    else:
        properties |= {"PackageType": "Image", "Code": {"ImageUri": found["Code"]["ImageUri"]}}
    if had.get("Runtime") == "wasm":
        reading.notes.append(f"{name}: the runtime wasm is Mayfly's own; AWS Lambda does not have it")
    reading.roles.add(had["Role"])
    return Thing(FUNCTION, name, name, properties, {"Arn": had["FunctionArn"]}, address=address)


def _nested(name: str, had: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says in objects, or in other words than a template."""
    kept: dict[str, Any] = {}
    if layers := [layer["Arn"] for layer in had.get("Layers", ())]:
        kept["Layers"] = layers
    if target := had.get("DeadLetterConfig", {}).get("TargetArn"):
        kept["DeadLetterConfig"] = {"TargetArn": target}
    if had.get("TracingConfig", {}).get("Mode") == "Active":
        kept["TracingConfig"] = {"Mode": "Active"}
    if had.get("EphemeralStorage", {}).get("Size", 512) != 512:
        kept["EphemeralStorage"] = had["EphemeralStorage"]
    if had.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        kept["SnapStart"] = {"ApplyOn": had["SnapStart"]["ApplyOn"]}
    logging = dict(had.get("LoggingConfig", {}))
    if logging.get("LogGroup") == f"/aws/lambda/{name}":
        del logging["LogGroup"]
    if logging not in ({}, {"LogFormat": "Text"}):
        kept["LoggingConfig"] = logging
    image = had.get("ImageConfigResponse", {}).get("ImageConfig", {})
    return kept | ({"ImageConfig": image} if image else {})


def _published(reading: Reading, latest: Mapping[str, Any], aliases: list[dict[str, Any]]) -> Iterator[Thing]:
    """One version, which is of the code that is exported, and the aliases, which all point at it."""
    name, arn = latest["FunctionName"], latest["FunctionArn"]
    listed = reading.pages("lambda", "list_versions_by_function", "Versions", FunctionName=name)
    versions = [one for one in listed if one["Version"] != _LATEST]
    if not versions:
        return
    ready = {
        one["FunctionArn"].rpartition(":")[2]: one["RequestedProvisionedConcurrentExecutions"]
        for one in reading.pages(
            "lambda", "list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs", FunctionName=name
        )
    }
    newest = versions[-1]
    number = newest["Version"]
    if newest["CodeSha256"] != latest["CodeSha256"]:
        reading.notes.append(f"{name}: the code written is what $LATEST has, which differs from version {number}'s")
    properties = {"FunctionName": Name(FUNCTION, name), **said(newest, "Description"), **_provisioned(ready, number)}
    others = tuple(f"{arn}:{one['Version']}" for one in versions[:-1])
    yield Thing(
        VERSION, f"{name} version", f"{arn}:{number}", properties, {"Version": "", "FunctionArn": ""},
        foreseen=False, also=others,
    )  # fmt: skip
    for alias in aliases:
        if alias["FunctionVersion"] != number or alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
            reading.notes.append(
                f"{name}: alias {alias['Name']} pointed at version {alias['FunctionVersion']}, perhaps with weights; "
                "in the template it points at the one version there is"
            )
        yield Thing(
            ALIAS,
            f"{name} {alias['Name']} alias",
            alias["AliasArn"],
            {
                "FunctionName": Name(FUNCTION, name),
                "FunctionVersion": Name(VERSION, f"{arn}:{number}"),
                "Name": alias["Name"],
                **said(alias, "Description"),
                **_provisioned(ready, alias["Name"]),
            },
        )


def _provisioned(ready: Mapping[str, int], qualifier: str) -> dict[str, Any]:
    if qualifier not in ready:
        return {}
    return {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": ready[qualifier]}}


def _urls(reading: Reading, name: str, arn: str) -> Iterator[Thing]:
    kind = "AWS::Lambda::Url"
    for found in reading.pages("lambda", "list_function_url_configs", "FunctionUrlConfigs", FunctionName=name):
        if reading.is_held(kind, found["FunctionArn"]):
            continue
        qualifier = found["FunctionArn"].removeprefix(arn).lstrip(":")
        properties = {
            "TargetFunctionArn": Name(FUNCTION, name),
            **({"Qualifier": qualifier} if qualifier else {}),
            **said(found, "AuthType InvokeMode Cors", {"InvokeMode": "BUFFERED"}),
        }
        yield Thing(
            kind, f"{name} {qualifier} url", "", properties, {"FunctionUrl": found["FunctionUrl"]},
            foreseen=False, after=(found["FunctionArn"],) if qualifier else (),
        )  # fmt: skip


def _settings_of_events(reading: Reading, name: str) -> Iterator[Thing]:
    kind = "AWS::Lambda::EventInvokeConfig"
    listed = reading.pages(
        "lambda", "list_function_event_invoke_configs", "FunctionEventInvokeConfigs", FunctionName=name
    )
    for found in listed:
        qualifier = found["FunctionArn"].rpartition(":")[2]
        told = {key: value for key, value in found.get("DestinationConfig", {}).items() if value}
        yield Thing(
            kind,
            f"{name} {'' if qualifier == _LATEST else qualifier} events",
            "",
            {
                "FunctionName": Name(FUNCTION, name),
                "Qualifier": qualifier,
                **{key: found[key] for key in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds") if key in found},
                **({"DestinationConfig": told} if told else {}),
            },
            after=(found["FunctionArn"],) if qualifier != _LATEST else (),
        )


def _permissions(reading: Reading, name: str, arn: str, qualifier: str) -> Iterator[Thing]:
    kind = "AWS::Lambda::Permission"
    client = reading.connection.client("lambda")
    which = {"FunctionName": name, **({"Qualifier": qualifier} if qualifier else {})}
    found = unless(_GONE, client.get_policy, **which)
    for statement in json.loads(found["Policy"])["Statement"] if found else ():
        if reading.is_held(kind, statement["Sid"]):
            continue
        properties = _permission(statement)
        if properties is None:
            reading.notes.append(f"{name}: no template can say what its policy says as {statement['Sid']}: left out")
            continue
        whose = Name(ALIAS, f"{arn}:{qualifier}") if qualifier else Name(FUNCTION, name)
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


def layers(reading: Reading) -> Iterator[Thing]:
    """The newest version of each layer, and every other that a function uses."""
    kind = "AWS::Lambda::LayerVersion"
    client = reading.connection.client("lambda")
    used = {
        layer["Arn"]
        for function in reading.pages("lambda", "list_functions", "Functions")
        for layer in function.get("Layers", ())
    }
    for layer in reading.pages("lambda", "list_layers", "Layers"):
        name = layer["LayerName"]
        for version in reading.pages("lambda", "list_layer_versions", "LayerVersions", LayerName=name):
            arn = version["LayerVersionArn"]
            newest = arn == layer["LatestMatchingVersion"]["LayerVersionArn"]
            if reading.is_held(kind, arn) or not (newest or arn in used):
                continue
            found = client.get_layer_version_by_arn(Arn=arn)
            properties = {"LayerName": name, "Content": {}}
            properties |= said(found, "Description CompatibleRuntimes CompatibleArchitectures LicenseInfo")
            label = f"{name} layer" if newest else f"{name} layer version {version['Version']}"
            yield Thing(kind, label, arn, properties, foreseen=False, address=found["Content"]["Location"])


_SOURCE = (
    "EventSourceArn BatchSize MaximumBatchingWindowInSeconds FunctionResponseTypes ParallelizationFactor "
    "MaximumRecordAgeInSeconds MaximumRetryAttempts BisectBatchOnFunctionError TumblingWindowInSeconds FilterCriteria "
    "ScalingConfig ProvisionedPollerConfig MetricsConfig StartingPosition Topics Queues SelfManagedEventSource "
    "SelfManagedKafkaEventSourceConfig AmazonManagedKafkaEventSourceConfig SourceAccessConfigurations"
)
_SOURCE_DEFAULTS = {
    "MaximumBatchingWindowInSeconds": 0, "ParallelizationFactor": 1, "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1, "BisectBatchOnFunctionError": False, "TumblingWindowInSeconds": 0,
}  # fmt: skip


def event_source_mappings(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::Lambda::EventSourceMapping"
    client = reading.connection.client("lambda")
    for found in reading.pages("lambda", "list_event_source_mappings", "EventSourceMappings"):
        if reading.is_held(kind, found["UUID"]) or found["State"] == "Deleting":
            continue
        parts = found["FunctionArn"].split(":")
        properties = {
            "FunctionName": found["FunctionArn"] if len(parts) > 7 else Name(FUNCTION, parts[6]),
            **said(found, _SOURCE, _SOURCE_DEFAULTS),
            **tags_of(client.list_tags(Resource=found["EventSourceMappingArn"]).get("Tags")),
        }
        if "StartingPositionTimestamp" in found:
            properties["StartingPositionTimestamp"] = int(found["StartingPositionTimestamp"].timestamp())
        if told := {key: value for key, value in found.get("DestinationConfig", {}).items() if value}:
            properties["DestinationConfig"] = told
        if found["State"] in ("Disabled", "Disabling"):
            properties["Enabled"] = False
        source = found.get("EventSourceArn", "kafka").split(":")[-1].split("/")
        label = source[1] if len(source) > 1 else source[0]
        yield Thing(kind, f"{parts[6]} {label} source", found["UUID"], properties, foreseen=False)


def scaling(reading: Reading) -> Iterator[Thing]:
    """Targets and policies of application auto scaling, for the provisioned concurrency of aliases."""
    target, policy = "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"
    where = {"ServiceNamespace": "lambda"}
    service = "application-autoscaling"
    for found in reading.pages(service, "describe_scalable_targets", "ScalableTargets", **where):
        id_ = f"{found['ResourceId']}|{found['ScalableDimension']}|{found['ServiceNamespace']}"
        if reading.is_held(target, id_):
            continue
        properties = said(found, "MaxCapacity ResourceId ScalableDimension ServiceNamespace")
        properties["MinCapacity"] = found["MinCapacity"]
        actions = [
            {
                **said(one, "ScheduledActionName Schedule Timezone ScalableTargetAction"),
                **{key: one[key].isoformat() for key in ("StartTime", "EndTime") if key in one},
            }
            for one in reading.pages(
                service, "describe_scheduled_actions", "ScheduledActions", ResourceId=found["ResourceId"], **where
            )
        ]
        if actions:
            properties["ScheduledActions"] = actions
        yield Thing(target, f"{found['ResourceId']} target", id_, properties, after=(_scaled(reading, found),))
    for found in reading.pages(service, "describe_scaling_policies", "ScalingPolicies", **where):
        if reading.is_held(policy, found["PolicyARN"]):
            continue
        properties = said(
            found,
            "PolicyName PolicyType ResourceId ScalableDimension ServiceNamespace StepScalingPolicyConfiguration "
            "TargetTrackingScalingPolicyConfiguration",
        )
        id_ = f"{found['ResourceId']}|{found['ScalableDimension']}|{found['ServiceNamespace']}"
        yield Thing(
            policy, f"{found['PolicyName']} policy", found["PolicyARN"], properties, foreseen=False, after=(id_,)
        )


def _scaled(reading: Reading, found: Mapping[str, Any]) -> str:
    """The ARN of the alias whose capacity scales."""
    there = reading.connection
    return f"arn:aws:lambda:{there.region}:{there.account}:{found['ResourceId']}"
