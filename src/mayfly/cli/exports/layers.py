"""Layers: their versions, in the order in which they were published, and who may use them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Reading, Thing, said, unless

LAYER, PERMISSION = "AWS::Lambda::LayerVersion", "AWS::Lambda::LayerVersionPermission"
_GONE = "ResourceNotFoundException"


def layers(reading: Reading) -> Iterator[Thing]:
    """All versions; of those before the newest only what something refers to is exported."""
    for layer in reading.pages("lambda", "list_layers", "Layers"):
        name, newest = layer["LayerName"], layer["LatestMatchingVersion"]["LayerVersionArn"]
        for version in reading.pages("lambda", "list_layer_versions", "LayerVersions", LayerName=name):
            arn = version["LayerVersionArn"]
            if not reading.is_held(LAYER, arn):
                yield _version(reading, name, arn, version["Version"], newest=arn == newest)
            yield from _permissions(reading, name, arn, version["Version"], newest=arn == newest)


def _version(reading: Reading, name: str, arn: str, number: int, *, newest: bool) -> Thing:
    found = reading.client("lambda").get_layer_version_by_arn(Arn=arn)
    properties = {"LayerName": name, "Content": {}}
    properties |= said(found, "Description CompatibleRuntimes CompatibleArchitectures LicenseInfo")
    label = f"{name} layer" if newest else f"{name} layer version {number}"
    return Thing(
        LAYER, label, arn, properties, foreseen=False, address=found["Content"]["Location"], optional=not newest,
        number=number, series=f"layer {name}",
    )  # fmt: skip


def _permissions(reading: Reading, name: str, arn: str, number: int, *, newest: bool) -> Iterator[Thing]:
    get = reading.client("lambda").get_layer_version_policy
    found = unless(_GONE, get, LayerName=name, VersionNumber=number)
    for statement in json.loads(found["Policy"])["Statement"] if found else ():
        if reading.is_held(PERMISSION, statement["Sid"]):
            continue
        properties = {"LayerVersionArn": arn, **_statement(statement)}
        loose = not newest and not reading.is_held(LAYER, arn)
        label = f"{name} layer {'' if newest else number} {statement['Sid']} permission"
        yield Thing(PERMISSION, label, "", properties, optional=loose, of=arn if loose else "")


def _statement(found: Mapping[str, Any]) -> dict[str, Any]:
    principal = found["Principal"]
    who = principal if isinstance(principal, str) else principal["AWS"]
    kept = {"Action": found["Action"], "Principal": who}
    for conditions in found.get("Condition", {}).values():
        for key, value in conditions.items():
            if key.lower() == "aws:principalorgid":
                kept["OrganizationId"] = value
    return kept
