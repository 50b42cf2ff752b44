"""Parameters and secrets as parts of stacks, and what stacks take from them, with boto3 against a running platform."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]
WAIT = {"Delay": 1, "MaxAttempts": 60}
TEMPLATE = """
Parameters:
  Size: {Type: "AWS::SSM::Parameter::Value<String>", Default: /configs-stack/size}
Resources:
  Host:
    Type: AWS::SSM::Parameter
    Properties: {Name: /configs-stack/host, Type: String, Value: !Sub "db-${Size}"}
  Login:
    Type: AWS::SecretsManager::Secret
    Properties:
      GenerateSecretString:
        {GenerateStringKey: password, SecretStringTemplate: '{"user": "shop"}', ExcludePunctuation: true}
  Copy:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: !Sub "{{resolve:secretsmanager:${Login}:SecretString:user}}"}
Outputs:
  Host: {Value: !GetAtt Host.Value}
  Name: {Value: !Ref Host}
  Copy: {Value: !Ref Copy}
  Secret: {Value: !Ref Login}
"""


def test_a_stack_makes_parameters_and_secrets_and_refers_to_them(client: Client) -> None:
    cloudformation, ssm, secrets = client("cloudformation"), client("ssm"), client("secretsmanager")
    ssm.put_parameter(Name="/configs-stack/size", Value="large", Type="String")
    cloudformation.create_stack(StackName="configs-stack", TemplateBody=TEMPLATE)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="configs-stack", WaiterConfig=WAIT)
    (stack,) = cloudformation.describe_stacks(StackName="configs-stack")["Stacks"]
    found = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    assert (found["Host"], found["Name"]) == ("db-large", "/configs-stack/host")
    assert ssm.get_parameter(Name=found["Copy"])["Parameter"]["Value"] == "shop"
    value = json.loads(secrets.get_secret_value(SecretId=found["Secret"])["SecretString"])
    assert (value["user"], len(value["password"])) == ("shop", 32)
    assert value["password"].isalnum()
    cloudformation.delete_stack(StackName="configs-stack")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="configs-stack", WaiterConfig=WAIT)
    with pytest.raises(ClientError, match="ParameterNotFound"):
        ssm.get_parameter(Name="/configs-stack/host")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        secrets.describe_secret(SecretId=found["Secret"])
    ssm.delete_parameter(Name="/configs-stack/size")
