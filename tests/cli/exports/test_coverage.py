"""Every type of resource that stacks take is one that an export writes, or is known not to be, with the reason."""

from pathlib import Path

from mayfly.cli import exports
from mayfly.services.stacks.resources.registry import resource_types

_IN_THE_BODY = "in the OpenAPI document of its API"
_IN_STACKS_ALONE = "nothing but a stack makes it, and a stack is exported as its template"
_FOLDED = "in the properties of whom it is granted to"
_OTHERWISE = {
    "AWS::ApiGateway::Authorizer": _IN_THE_BODY,
    "AWS::ApiGateway::DocumentationPart": _IN_THE_BODY,
    "AWS::ApiGateway::GatewayResponse": _IN_THE_BODY,
    "AWS::ApiGateway::Method": _IN_THE_BODY,
    "AWS::ApiGateway::Model": _IN_THE_BODY,
    "AWS::ApiGateway::RequestValidator": _IN_THE_BODY,
    "AWS::ApiGateway::Resource": _IN_THE_BODY,
    "AWS::ApiGatewayV2::ApiGatewayManagedOverrides": "what an API was created with is written as its parts",
    "AWS::CloudFormation::CustomResource": _IN_STACKS_ALONE,
    "AWS::CloudFormation::Macro": _IN_STACKS_ALONE,
    "AWS::CloudFormation::Stack": _IN_STACKS_ALONE,
    "AWS::CloudFormation::WaitCondition": _IN_STACKS_ALONE,
    "AWS::CloudFormation::WaitConditionHandle": _IN_STACKS_ALONE,
    "AWS::IAM::AccessKey": "its secret is nobody's to take along, which a note says",
    "AWS::IAM::GroupPolicy": _FOLDED,
    "AWS::IAM::Policy": _FOLDED,
    "AWS::IAM::RolePolicy": _FOLDED,
    "AWS::IAM::UserPolicy": _FOLDED,
    "AWS::IAM::UserToGroupAddition": _FOLDED,
    "AWS::Logs::LogStream": "a log's lines are data, which a note says",
    "AWS::SNS::TopicInlinePolicy": "written as AWS::SNS::TopicPolicy",
    "AWS::SQS::QueueInlinePolicy": "written as AWS::SQS::QueuePolicy",
}
_MADE_OF_WORDS = {"AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route"}


def test_every_type_is_exported_or_known_not_to_be() -> None:
    source = "\n".join(file.read_text() for file in Path(exports.__file__).parent.glob("*.py"))
    written = {name for name in resource_types() if f'"{name}"' in source} | _MADE_OF_WORDS
    assert set(resource_types()) - written == set(_OTHERWISE)
