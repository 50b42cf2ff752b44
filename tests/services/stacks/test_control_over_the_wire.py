"""The Cloud Control API as `sam list endpoints` asks it."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess

URL = "AWS::Lambda::Url"


TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def function(platform: PlatformProcess) -> Iterator[str]:
    """The name of a function without a URL."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 1\n")
    identity, functions = platform.client("iam"), platform.client("lambda")
    role = identity.create_role(RoleName="controlled", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName="controlled",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": buffer.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="controlled", WaiterConfig={"Delay": 1})
    yield "controlled"
    functions.delete_function(FunctionName="controlled")
    identity.delete_role(RoleName="controlled")


def test_the_url_of_a_function_is_told_by_its_name_and_by_its_arn(platform: PlatformProcess, function: str) -> None:
    made = platform.client("lambda").create_function_url_config(FunctionName=function, AuthType="NONE")
    control = platform.client("cloudcontrol")
    for identifier in (function, made["FunctionArn"]):
        found = control.get_resource(TypeName=URL, Identifier=identifier)
        assert found["TypeName"] == URL
        assert found["ResourceDescription"]["Identifier"] == made["FunctionArn"]
        properties = json.loads(found["ResourceDescription"]["Properties"])
        assert properties["FunctionUrl"] == made["FunctionUrl"]
        assert properties["AuthType"] == "NONE"


def test_a_function_without_a_url_and_one_that_is_not_there_are_not_found(
    platform: PlatformProcess, function: str
) -> None:
    control = platform.client("cloudcontrol")
    for identifier in (function, "nobody"):
        with pytest.raises(control.exceptions.ResourceNotFoundException, match=f"identifier '{identifier}'"):
            control.get_resource(TypeName=URL, Identifier=identifier)


def test_other_types_and_operations_are_refused_by_their_names(platform: PlatformProcess) -> None:
    control = platform.client("cloudcontrol")
    with pytest.raises(control.exceptions.UnsupportedActionException, match="not AWS::S3::Bucket"):
        control.get_resource(TypeName="AWS::S3::Bucket", Identifier="photos")
    with pytest.raises(ClientError, match="does not implement CreateResource of cloudcontrol"):
        control.create_resource(TypeName=URL, DesiredState="{}")


@pytest.mark.parametrize(("service", "operation", "named"), [("xray", "get_trace_summaries", "GetTraceSummaries")])
def test_what_sam_asks_of_services_that_are_not_there_is_refused_by_its_name(
    platform: PlatformProcess, service: str, operation: str, named: str
) -> None:
    with pytest.raises(ClientError, match=f"does not implement {named} of {service}"):
        getattr(platform.client(service), operation)(StartTime=0, EndTime=1)
