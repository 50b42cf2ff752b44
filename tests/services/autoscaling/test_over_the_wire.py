"""Scaling of provisioned concurrency, with boto3 against a running platform."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, role

__all__ = ["deploy", "functions", "role"]  # fixtures


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)


def test_a_scheduled_action_provisions_concurrency_and_a_policy_keeps_its_bounds(
    functions: Any, deploy: Deploy, client: Callable[..., Any]
) -> None:
    name = deploy(Publish=True, MemorySize=128)
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    scaling = client("application-autoscaling")
    live = {
        "ServiceNamespace": "lambda",
        "ResourceId": f"function:{name}:live",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    made = scaling.register_scalable_target(**live, MinCapacity=0, MaxCapacity=4, Tags={"team": "a"})
    arn = made["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"team": "a"}

    def provisioned() -> int:
        try:
            found = functions.get_provisioned_concurrency_config(FunctionName=name, Qualifier="live")
        except ClientError:
            return 0
        return int(found["AvailableProvisionedConcurrentExecutions"])

    scaling.put_scheduled_action(
        **live,
        ScheduledActionName="soon",
        Schedule=f"at({datetime.now(UTC) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 2},
    )
    until(lambda: provisioned() == 2)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[live["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    scaling.register_scalable_target(**live, MinCapacity=3)
    config = {
        "TargetValue": 0.7,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
    }
    put = scaling.put_scaling_policy(
        **live,
        PolicyName="seventy",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=config,
    )
    until(lambda: provisioned() == 3)
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="lambda", ResourceId=live["ResourceId"])[
        "ScalingPolicies"
    ]
    assert (policy["PolicyARN"], policy["TargetTrackingScalingPolicyConfiguration"]) == (put["PolicyARN"], config)
    client("cloudwatch").put_metric_alarm(
        AlarmName=f"{name}-busy",
        AlarmActions=[put["PolicyARN"]],
        Namespace="AWS/Lambda",
        MetricName="Invocations",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1e9,
        ComparisonOperator="GreaterThanThreshold",
    )
    activities = scaling.describe_scaling_activities(ServiceNamespace="lambda", ResourceId=live["ResourceId"])
    assert [one["StatusCode"] for one in activities["ScalingActivities"]] == ["Successful"] * 2
    scaling.deregister_scalable_target(**live)
    with pytest.raises(scaling.exceptions.ObjectNotFoundException):
        scaling.deregister_scalable_target(**live)
    functions.delete_provisioned_concurrency_config(FunctionName=name, Qualifier="live")


TEMPLATE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      Runtime: python3.11
      Handler: index.handler
      Code: {ZipFile: "def handler(event, context): return event"}
  One: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Hello}}
  Live:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Hello, FunctionVersion: !GetAtt One.Version, Name: live}
  Target:
    Type: AWS::ApplicationAutoScaling::ScalableTarget
    DependsOn: Live
    Properties:
      ServiceNamespace: lambda
      ScalableDimension: lambda:function:ProvisionedConcurrency
      ResourceId: !Sub "function:${Hello}:live"
      MinCapacity: 1
      MaxCapacity: MOST
      ScheduledActions:
        - ScheduledActionName: night
          Schedule: cron(0 20 * * ? *)
          ScalableTargetAction: {MinCapacity: 0, MaxCapacity: 1}
  Policy:
    Type: AWS::ApplicationAutoScaling::ScalingPolicy
    Properties:
      PolicyName: seventy
      PolicyType: TargetTrackingScaling
      ScalingTargetId: !Ref Target
      TargetTrackingScalingPolicyConfiguration:
        TargetValue: 0.7
        PredefinedMetricSpecification: {PredefinedMetricType: LambdaProvisionedConcurrencyUtilization}
"""


def test_a_template_registers_scales_changes_and_takes_it_all_away(client: Callable[..., Any]) -> None:
    stacks, scaling = client("cloudformation"), client("application-autoscaling")
    name = "scaling-stack"

    def targets() -> list[Any]:
        found = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
        return [one for one in found if one["ResourceId"].startswith(f"function:{name}-")]

    stacks.create_stack(StackName=name, TemplateBody=TEMPLATE.replace("MOST", "3"), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    (target,) = targets()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    resource = {"ServiceNamespace": "lambda", "ResourceId": target["ResourceId"]}
    (policy,) = scaling.describe_scaling_policies(**resource)["ScalingPolicies"]
    assert policy["PolicyName"] == "seventy"
    (action,) = scaling.describe_scheduled_actions(**resource)["ScheduledActions"]
    assert action["ScheduledActionName"] == "night"
    stacks.update_stack(StackName=name, TemplateBody=TEMPLATE.replace("MOST", "4"), Capabilities=["CAPABILITY_IAM"])
    stacks.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert [one["MaxCapacity"] for one in targets()] == [4]
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert targets() == []
