"""Configurations of functions as templates say them: what is a version's own, which $LATEST and each version have."""

from collections.abc import Mapping
from typing import Any

from mayfly.cli.exports.things import Reading, said

_SAID = (
    "Description Handler Role Runtime Timeout MemorySize DurableConfig Architectures TenancyConfig "
    "CapacityProviderConfig"
)
_DEFAULTS = {"Timeout": 3, "MemorySize": 128}
_OWN_ADDRESSES = "AWS_ENDPOINT_URL"


def configured(reading: Reading, had: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of AWS::Lambda::Function but for its name and its code, which is `{}` where it is a package."""
    name = had["FunctionName"]
    properties = {**said(had, _SAID, _DEFAULTS), **_nested(name, had)}
    own = set(own_addresses(had))
    variables = had.get("Environment", {}).get("Variables", {})
    if kept := {key: value for key, value in variables.items() if key not in own}:
        properties["Environment"] = {"Variables": kept}
    if had.get("KMSKeyArn"):
        properties["KmsKeyArn"] = had["KMSKeyArn"]
    reading.roles.add(had["Role"])
    if had["PackageType"] != "Image":
        return {**properties, "Code": {}}
    return {**properties, "PackageType": "Image", "Code": {"ImageUri": _image(reading, had)}}


def own_addresses(had: Mapping[str, Any]) -> list[str]:
    """The variables that name addresses of this platform."""
    return sorted(key for key in had.get("Environment", {}).get("Variables", {}) if key.startswith(_OWN_ADDRESSES))


def _image(reading: Reading, had: Mapping[str, Any]) -> str:
    """The image by its tag where it is $LATEST's; by its digest, which no tag can change, where it is a version's."""
    latest = had["Version"] == "$LATEST"
    which = {} if latest else {"Qualifier": had["Version"]}
    code = reading.client("lambda").get_function(FunctionName=had["FunctionName"], **which)["Code"]
    return str(code["ImageUri"] if latest else code.get("ResolvedImageUri") or code["ImageUri"])


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
