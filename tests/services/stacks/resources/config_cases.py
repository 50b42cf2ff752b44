"""Cases of SSM and Secrets Manager."""

from tests.services.stacks.resources.case import Case, World

TAG = [{"Key": "k", "Value": "v"}]


def guarding(action: str) -> dict[str, object]:
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "arn:aws:iam::000000000000:role/nobody"},
        "Action": action,
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def cases(world: World) -> list[Case]:
    secret = {"SecretId": world.secret}
    return [
        Case(
            "AWS::SSM::Parameter",
            {"Type": "String", "Value": "5", "AllowedPattern": "[0-9]+", "Tags": {"k": "v"}},
            {"Value": "six", "AllowedPattern": "[a-z]+", "Description": "d", "Tags": {"l": "w"}},
        ),
        Case("AWS::SSM::Parameter", {"Name": "/contract/list", "Type": "StringList", "Value": "a,b"}, {"Value": "c"}),
        Case(
            "AWS::SecretsManager::Secret",
            {"SecretString": "one", "Description": "d", "Tags": TAG},
            {"SecretString": "two", "Tags": []},
        ),
        Case(
            "AWS::SecretsManager::Secret",
            {"GenerateSecretString": {"PasswordLength": "20", "ExcludePunctuation": "true"}},
            {"GenerateSecretString": {"GenerateStringKey": "password", "SecretStringTemplate": '{"user": "a"}'}},
        ),
        Case("AWS::SecretsManager::ResourcePolicy", {**secret, "ResourcePolicy": guarding("secretsmanager:Get*")},
             {"ResourcePolicy": guarding("secretsmanager:*"), "BlockPublicPolicy": "true"}),
        Case(
            "AWS::SecretsManager::RotationSchedule",
            {**secret, "RotationLambdaARN": world.function, "RotationRules": {"AutomaticallyAfterDays": "3"},
             "RotateImmediatelyOnUpdate": "false"},
            {"RotationRules": {"ScheduleExpression": "rate(8 days)", "Duration": "2h"}},
        ),
    ]  # fmt: skip
