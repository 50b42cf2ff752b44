"""Parameters and secrets: their names and what is said of them. Values are given with the deployment."""

from collections.abc import Iterator

from mayfly.cli.exports.things import Given, Reading, Thing, said, tags_of


def parameters(reading: Reading) -> Iterator[Thing]:
    kind = "AWS::SSM::Parameter"
    client = reading.connection.client("ssm")
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
                **said(found, "Description"),
                "SecretString": Given(f"The value of secret {name}"),
                **tags_of(found.get("Tags")),
            }
            yield Thing(kind, f"{name} secret", arn, properties, foreseen=False)
        if found.get("RotationEnabled") and not reading.is_held(rotation, arn):
            told = {
                "SecretId": arn,
                "RotationLambdaARN": found["RotationLambdaARN"],
                **said(found, "RotationRules"),
            }
            yield Thing(rotation, f"{name} rotation", "", told, after=(found["RotationLambdaARN"],))
