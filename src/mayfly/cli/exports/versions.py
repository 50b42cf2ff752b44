"""Published versions of functions, each with what the function was then, and the aliases that point at them."""

from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.configuring import configured
from mayfly.cli.exports.things import Name, Reading, State, Thing, said, unless

FUNCTION, ALIAS, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"
LATEST = "$LATEST"
_GONE = "ResourceNotFoundException"


def published(
    reading: Reading, name: str, arn: str, versions: list[dict[str, Any]], aliases: list[dict[str, Any]]
) -> Iterator[Thing]:
    """The versions of a function, of which those before the newest are exported where something refers to them, and its
    aliases."""
    ready = _provisioned(reading, name) if versions else {}
    for found in versions:
        yield _version(reading, found, f"{arn}:{found['Version']}", ready, newest=found is versions[-1])
    for alias in aliases:
        yield _alias(name, arn, alias, ready)


def _version(reading: Reading, found: Mapping[str, Any], arn: str, ready: Mapping[str, int], *, newest: bool) -> Thing:
    name, number = found["FunctionName"], found["Version"]
    get = reading.client("lambda").get_function_scaling_config
    scaling = (unless(_GONE, get, FunctionName=name, Qualifier=number) or {}).get("RequestedFunctionScalingConfig")
    checked = {} if found["PackageType"] == "Image" else {"CodeSha256": found["CodeSha256"]}
    own = _kept_ready(ready, number) | ({"FunctionScalingConfig": scaling} if scaling else {})
    state = State(configured(reading, found), found["CodeSha256"])
    return Thing(
        VERSION,
        f"{name} version {'' if newest else number}",
        arn,
        {"FunctionName": Name(FUNCTION, name), **checked, **said(found, "Description"), **own},
        foreseen=False, optional=not newest and not own, number=int(number), series=name, state=state,
    )  # fmt: skip


def _alias(name: str, arn: str, found: Mapping[str, Any], ready: Mapping[str, int]) -> Thing:
    weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    routed = [
        {"FunctionVersion": numbered(arn, number), "FunctionWeight": weight} for number, weight in weights.items()
    ]
    properties = {
        "FunctionName": Name(FUNCTION, name),
        "FunctionVersion": numbered(arn, found["FunctionVersion"]),
        "Name": found["Name"],
        **said(found, "Description"),
        **({"RoutingConfig": {"AdditionalVersionWeights": routed}} if routed else {}),
        **_kept_ready(ready, found["Name"]),
    }
    return Thing(ALIAS, f"{name} {found['Name']} alias", found["AliasArn"], properties)


def numbered(arn: str, number: str) -> Any:
    """The number of a version of the function with that ARN, as it will be where the template is deployed."""
    return number if number == LATEST else Name(VERSION, f"{arn}:{number}", "Version")


def _provisioned(reading: Reading, name: str) -> dict[str, int]:
    """How many instances are kept ready, by the version or alias that they are of."""
    listed = reading.pages(
        "lambda", "list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs", FunctionName=name
    )
    return {one["FunctionArn"].rpartition(":")[2]: one["RequestedProvisionedConcurrentExecutions"] for one in listed}


def _kept_ready(ready: Mapping[str, int], qualifier: str) -> dict[str, Any]:
    if qualifier not in ready:
        return {}
    return {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": ready[qualifier]}}
