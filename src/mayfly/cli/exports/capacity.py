"""Capacity providers, and code signing configurations."""

from collections.abc import Iterator

from mayfly.cli.exports.functions import SIGNING
from mayfly.cli.exports.things import Reading, Thing, said, tags_of

_MACHINE = "mayfly"  # the provider that is there by itself
_PROVIDER = "VpcConfig PermissionsConfig CapacityProviderScalingConfig KmsKeyArn"


def providers(reading: Reading) -> Iterator[Thing]:
    """Without the architecture, which is this machine's: another machine has its own."""
    kind = "AWS::Lambda::CapacityProvider"
    client = reading.client("lambda")
    for found in reading.pages("lambda", "list_capacity_providers", "CapacityProviders"):
        arn = found["CapacityProviderArn"]
        name = arn.rpartition(":")[2]
        if name == _MACHINE:
            if "MaxVCpuCount" in found.get("CapacityProviderScalingConfig", {}):
                reading.notes.append(f"capacity provider {name}: its limit is this machine's, so it is left out")
            continue
        if reading.is_held(kind, name):
            continue
        properties = {"CapacityProviderName": name, **said(found, _PROVIDER)}
        properties |= tags_of(client.list_tags(Resource=arn).get("Tags"))
        reading.roles.add(found["PermissionsConfig"]["CapacityProviderOperatorRoleArn"])
        yield Thing(kind, f"{name} capacity", name, properties, {"Arn": arn})


def signing(reading: Reading) -> Iterator[Thing]:
    """Code signing configurations."""
    client = reading.client("lambda")
    for found in reading.pages("lambda", "list_code_signing_configs", "CodeSigningConfigs"):
        arn = found["CodeSigningConfigArn"]
        if reading.is_held(SIGNING, arn):
            continue
        properties = said(found, "Description AllowedPublishers CodeSigningPolicies")
        properties |= tags_of(client.list_tags(Resource=arn).get("Tags"))
        name = found.get("Description") or found["CodeSigningConfigId"]
        attributes = {"CodeSigningConfigId": found["CodeSigningConfigId"]}
        yield Thing(SIGNING, f"{name} signing", arn, properties, attributes, foreseen=False)
