"""Types that Mayfly has not: refused with reasons, all at once, or inert where a stack accepts them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks import inert
from mayfly.services.stacks.resources.inert import attribute
from mayfly.services.stacks.resources.registry import resource_types

from .conftest import Stage, template, thing

VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
SUBNET = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}}}
TAGS = [{"Key": inert.TAG, "Value": "AWS::EC2::VPC, AWS::EC2::Subnet"}]


@pytest.mark.asyncio
async def test_all_types_that_are_not_there_are_named_in_one_refusal_with_their_reasons(stage: Stage) -> None:
    resources = {
        "Vpc": VPC,
        "Subnet": SUBNET,
        "Cdn": {"Type": "AWS::CloudFront::Distribution"},
        "Graph": {"Type": "AWS::AppSync::GraphQLApi"},
        "Typo": {"Type": "AWS::S4::Bucket"},
        "A": thing(),
    }
    code, message = await stage.refused("CreateStack", StackName="s", TemplateBody=template(resources))
    assert code == "ValidationError"
    assert message.startswith(
        "Template format error: Unrecognized resource types: [AWS::AppSync::GraphQLApi, AWS::CloudFront::Distribution, "
        "AWS::EC2::Subnet, AWS::EC2::VPC, AWS::S4::Bucket]. "
    )
    assert "AWS::EC2::Subnet, AWS::EC2::VPC: networks and machines of AWS" in message
    assert "AWS::AppSync::GraphQLApi: Mayfly has no GraphQL APIs yet." in message
    assert "mayfly:inert" in message
    assert stage.held() == {}


@pytest.mark.asyncio
async def test_what_a_stack_accepts_is_there_without_effect_and_says_so(stage: Stage) -> None:
    resources = {
        "Vpc": VPC,
        "Subnet": SUBNET,
        "A": thing(Needs={"Ref": "Subnet"}, Label={"Fn::GetAtt": "Vpc.CidrBlock"}),
    }
    outputs = {"Outputs": {"Group": {"Value": {"Fn::GetAtt": ["Vpc", "DefaultSecurityGroup"]}}}}
    stack = await stage.create(resources, more=outputs, Tags=TAGS)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"][0]["OutputValue"].startswith("sg-")
    assert stage.held()["A"]["Label"] == "10.0.0.0/16"
    assert stage.held()["A"]["Needs"].startswith("subnet-")
    shown = (await stage.call("DescribeStackResources", StackName="s"))["StackResources"]
    reasons = {one["LogicalResourceId"]: one.get("ResourceStatusReason", "") for one in shown}
    assert reasons["A"] == ""
    assert reasons["Vpc"].startswith("Inert, as the stack accepts it: nothing was made")
    before = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in shown}
    resources["Vpc"] = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}}
    await stage.update(resources, more=outputs)  # the tags stay, and with them what they accept
    shown = (await stage.call("DescribeStackResources", StackName="s"))["StackResources"]
    assert {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in shown} == before
    assert stage.held()["A"]["Label"] == "10.1.0.0/16"
    await stage.call("DeleteStack", StackName="s")
    await stage.settled(stack["StackId"])
    assert stage.held() == {}


@pytest.mark.asyncio
async def test_an_update_that_accepts_it_no_more_is_refused(stage: Stage) -> None:
    await stage.create({"Vpc": VPC}, Tags=TAGS)
    body = template({"Vpc": VPC, "A": thing()})
    code, message = await stage.refused("UpdateStack", StackName="s", TemplateBody=body, Tags=[])
    assert (code, "AWS::EC2::VPC" in message) == ("ValidationError", True)


@pytest.mark.asyncio
async def test_metadata_of_the_cdk_is_accepted_and_not_spoken_of(stage: Stage) -> None:
    stack = await stage.create({"CDKMetadata": {"Type": inert.CDK_METADATA, "Properties": {"Analytics": "v2:x"}}})
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    shown = (await stage.call("DescribeStackResources", StackName="s"))["StackResources"]
    assert "ResourceStatusReason" not in shown[0]


@pytest.mark.asyncio
async def test_validation_lets_pass_what_a_tag_can_still_accept(stage: Stage) -> None:
    await stage.call("ValidateTemplate", TemplateBody=template({"Vpc": VPC}))
    body = template({"Graph": {"Type": "AWS::AppSync::GraphQLApi"}})
    code, _ = await stage.refused("ValidateTemplate", TemplateBody=body)
    assert code == "ValidationError"


@pytest.mark.parametrize(
    ("accepted", "name", "passes"),
    [
        ("all", "AWS::EC2::VPC", True),
        ("all", "AWS::CloudWatch::Dashboard", True),
        ("all", "AWS::AppSync::GraphQLApi", False),  # is to come: whoever wants it inert names it
        ("all", "AWS::S4::Bucket", False),
        ("AWS::AppSync::GraphQLApi", "AWS::AppSync::GraphQLApi", True),
        ("AWS::EC2::*", "AWS::EC2::Subnet", True),
        ("AWS::EC2", "AWS::EC2::Subnet", True),
        ("AWS::EC2", "AWS::ECS::Cluster", False),
        ("", "AWS::EC2::VPC", False),
        ("", inert.CDK_METADATA, True),
    ],
)
def test_words_accept_types_services_and_all_that_is_inside_aws(accepted: str, name: str, passes: bool) -> None:
    assert inert.accepts(inert.words(accepted), name) is passes


def test_no_type_that_mayfly_has_is_classified_as_one_that_it_has_not() -> None:
    services = {name for name, _ in inert.classified() if name.count("::") == 1}
    for name in resource_types():
        assert inert.inside(name) is None
        assert name.rpartition("::")[0] not in services


@given(st.sets(st.sampled_from([name for name, _ in inert.classified()] + ["AWS::X::Y", "Custom::Z"]), min_size=1))
def test_a_refusal_names_every_type(names: set[str]) -> None:
    types = {name if name.count("::") > 1 or name == "Custom::Z" else f"{name}::Part" for name in names}
    with pytest.raises(ServiceError) as caught:
        inert.refuse(types, ())
    assert all(name in caught.value.message for name in types)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("AWS::RDS::DBInstance", "Endpoint.Address", r"db\.rds\.us-east-1\.invalid"),
        ("AWS::RDS::DBInstance", "Endpoint.Port", "0"),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", "DNSName", r"db\.elasticloadbalancingv2\.us-east-1\.invalid"),
        ("AWS::KinesisFirehose::DeliveryStream", "Arn", "arn:aws:firehose:us-east-1:123456789012:deliverystream/db"),
        ("AWS::KMS::Key", "Arn", "arn:aws:kms:us-east-1:123456789012:key/db"),
        ("AWS::EC2::Instance", "AvailabilityZone", "us-east-1a"),
        ("AWS::EC2::EIP", "AllocationId", "eipalloc-[0-9a-f]{17}"),
    ],
)  # fmt: skip
def test_attributes_have_the_form_of_the_real_ones(kind: str, name: str, expected: str) -> None:
    place = {"type": kind, "region": "us-east-1", "account": "123456789012", "seed": "ABCDEFGH"}
    assert re.fullmatch(expected, attribute("db", place, name))


@pytest.mark.asyncio
async def test_a_type_that_is_not_there_may_stand_under_a_condition_that_does_not_hold(stage: Stage) -> None:
    resources = {"Key": {"Type": "AWS::KMS::Key", "Condition": "Own"}, "A": thing()}
    given = {
        "Parameters": {"Own": {"Type": "String", "Default": "no"}},
        "Conditions": {"Own": {"Fn::Equals": [{"Ref": "Own"}, "yes"]}},
    }
    stack = await stage.create(resources, more=given)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    body = template(resources, **given)
    wanted = [{"ParameterKey": "Own", "ParameterValue": "yes"}]
    refused = await stage.refused("CreateStack", StackName="t", TemplateBody=body, Parameters=wanted)
    assert "Unrecognized resource types: [AWS::KMS::Key]" in refused[1]
    typo = {"Typo": {"Type": "AWS::S4::Bucket", "Condition": "Own"}}
    body = template(typo, **given)
    assert "AWS::S4::Bucket" in (await stage.refused("CreateStack", StackName="u", TemplateBody=body))[1]


@pytest.mark.asyncio
async def test_accepting_what_nobody_knows_is_an_error_that_names_what_is_near(stage: Stage) -> None:
    for word, near in (
        ("AWS::EC2s", "AWS::EC2"),
        ("AWS::Foo", ""),
        ("AWS::CloudFrond::Distribution", "AWS::CloudFront"),
        ("al", "all"),
    ):
        tags = [{"Key": inert.TAG, "Value": f"AWS::EC2::VPC {word}"}]
        body = template({"Vpc": VPC})
        code, message = await stage.refused("CreateStack", StackName="s", TemplateBody=body, Tags=tags)
        assert code == "ValidationError"
        assert f"names nothing: {word}" in message
        assert near in message
        assert "AWS::EC2::VPC" not in message
    new = {"Type": "AWS::BrandNew::Thing"}
    tags = [{"Key": inert.TAG, "Value": "AWS::BrandNew::Thing Datadog::Monitors::Monitor AWS::EC2 all"}]
    assert (await stage.create({"New": new}, Tags=tags))["StackStatus"] == "CREATE_COMPLETE"
