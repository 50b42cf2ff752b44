"""Parameters and secrets: their names and what is said of them. Values are given with the deployment."""

import json
from collections.abc import Iterator

from mayfly.cli.exports.things import Given, Name, Reading, Thing, said, tags_of


def parameters(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::SSM::Parameter"
    client = reading.client("ssm")
    for found in reading.pages("ssm", "describe_parameters", "Parameters"):
        name = found["Name"]
        if reading.is_held(kind, name):
            continue
        if found["Type"] == "SecureString":
            reading.notes.append(
                f"parameter {name}: templates cannot make a SecureString; put it there with `aws ssm put-parameter`"
            )
            continue
        properties = {
            "Name": name,
            "Type": found["Type"],
            "Value": Given(f"The value of parameter {name}"),
            **said(found, "Description AllowedPattern DataType Tier", {"DataType": "text", "Tier": "Standard"}),
        }
        if policies := [json.loads(one["PolicyText"]) for one in found.get("Policies", ())]:
            properties["Policies"] = json.dumps(policies)
        tags = client.list_tags_for_resource(ResourceType="Parameter", ResourceId=name).get("TagList", [])
        if kept := tags_of(tags):
            properties["Tags"] = {tag["Key"]: tag["Value"] for tag in kept["Tags"]}
        yield Thing(kind, f"{name} parameter", name, properties)


def secrets(reading: Reading) -> Iterator[Thing]:
    kind, rotation = "AWS::SecretsManager::Secret", "AWS::SecretsManager::RotationSchedule"
    for found in reading.pages("secretsmanager", "list_secrets", "SecretList"):
        name, arn = found["Name"], found["ARN"]
        if found.get("OwningService"):
            continue  # of an event connection, which makes it again
        if not reading.is_held(kind, arn):
            properties = {
                "Name": name,
                **said(found, "Description KmsKeyId"),
                "SecretString": Given(f"The value of secret {name}"),
                **tags_of(found.get("Tags")),
            }
            yield Thing(kind, f"{name} secret", arn, properties, foreseen=False)
        yield from _policy(reading, kind, name, arn)
        if found.get("RotationEnabled") and not reading.is_held(rotation, arn):
            told = {
                "SecretId": arn,
                "RotationLambdaARN": found["RotationLambdaARN"],
                **said(found, "RotationRules"),
                "RotateImmediatelyOnUpdate": False,  # else what the secret opens would be changed by the deployment
            }
            yield Thing(rotation, f"{name} rotation", "", told, after=(found["RotationLambdaARN"],))


def _policy(reading: Reading, secret: str, name: str, arn: str) -> Iterator[Thing]:
    kind = "AWS::SecretsManager::ResourcePolicy"
    text = reading.client("secretsmanager").get_resource_policy(SecretId=arn).get("ResourcePolicy")
    if text and not reading.is_held(kind, arn):
        properties = {"SecretId": Name(secret, arn), "ResourcePolicy": json.loads(text)}
        yield Thing(kind, f"{name} secret policy", "", properties)
