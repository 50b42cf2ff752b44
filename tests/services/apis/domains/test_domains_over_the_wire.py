"""Custom domain names against the real server: by both versions of the operations, by templates, by requests."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import PlatformProcess
from tests.services.apis.http.wire import Answer, ask, function

TEMPLATE = """
Resources:
  Name: {Type: AWS::ApiGatewayV2::DomainName, Properties: {DomainName: stack.shop.example}}
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: a, ProtocolType: HTTP, Target: ARN}}
  Mapping:
    Type: AWS::ApiGatewayV2::ApiMapping
    Properties: {ApiId: !Ref Api, DomainName: !Ref Name, Stage: $default, ApiMappingKey: v1}
"""


@pytest.fixture(scope="module")
def apis(platform: PlatformProcess) -> Any:
    return platform.client("apigatewayv2")


@pytest.fixture(scope="module")
def echo(platform: PlatformProcess) -> str:
    return function(platform, "domains-echo")


@pytest.fixture(scope="module")
def api(apis: Any, echo: str) -> Any:
    made = apis.create_api(Name="mapped", ProtocolType="HTTP", Target=echo)
    apis.create_stage(ApiId=made["ApiId"], StageName="dev", AutoDeploy=True)
    return made


def by_name(platform: PlatformProcess, host: str, path: str) -> Answer:
    return ask(platform.url, path, headers={"Host": host})


def test_a_name_leads_to_the_stages_that_are_mapped_below_it(platform: PlatformProcess, apis: Any, api: Any) -> None:
    host = "api.shop.example"
    made = apis.create_domain_name(
        DomainName=host.upper(),
        DomainNameConfigurations=[{"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/1"}],
        Tags={"a": "1"},
    )
    assert made["DomainName"] == host
    assert made["DomainNameConfigurations"][0]["DomainNameStatus"] == "AVAILABLE"
    assert by_name(platform, host, "/x").status == 403
    mapping = apis.create_api_mapping(DomainName=host, ApiId=api["ApiId"], Stage="$default", ApiMappingKey="v1/a")
    event = by_name(platform, f"{host}:4566", "/v1/a/pets/1").json
    assert event["rawPath"] == "/pets/1"
    assert event["requestContext"]["domainName"] == host
    assert event["requestContext"]["domainPrefix"] == "api"
    assert by_name(platform, host, "/v1").status == 403
    apis.update_api_mapping(
        DomainName=host, ApiMappingId=mapping["ApiMappingId"], ApiId=api["ApiId"], ApiMappingKey="", Stage="dev"
    )
    assert by_name(platform, host, "/anything").status == 200
    assert by_name(platform, host, "/anything").json["requestContext"]["stage"] == "dev"
    assert apis.get_tags(ResourceArn=made["DomainNameArn"])["Tags"] == {"a": "1"}
    assert [item["ApiMappingKey"] for item in apis.get_api_mappings(DomainName=host)["Items"]] == [""]
    apis.delete_api_mapping(DomainName=host, ApiMappingId=mapping["ApiMappingId"])
    assert by_name(platform, host, "/anything").status == 403
    apis.delete_domain_name(DomainName=host)
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.get_domain_name(DomainName=host)


def test_a_star_is_any_name_of_one_label(platform: PlatformProcess, apis: Any, api: Any) -> None:
    apis.create_domain_name(DomainName="*.tenants.example")
    apis.create_api_mapping(DomainName="*.tenants.example", ApiId=api["ApiId"], Stage="$default")
    assert by_name(platform, "one.tenants.example", "/x").json["requestContext"]["domainPrefix"] == "one"


def test_both_versions_of_the_operations_see_the_same_names(platform: PlatformProcess, apis: Any, api: Any) -> None:
    former = platform.client("apigateway")
    former.create_domain_name(domainName="v1.shop.example", endpointConfiguration={"types": ["REGIONAL"]})
    former.create_base_path_mapping(domainName="v1.shop.example", restApiId=api["ApiId"], basePath="p", stage="dev")
    assert by_name(platform, "v1.shop.example", "/p/x").json["rawPath"] == "/dev/x"
    (mapping,) = apis.get_api_mappings(DomainName="v1.shop.example")["Items"]
    assert (mapping["ApiMappingKey"], mapping["Stage"]) == ("p", "dev")
    change = {"op": "replace", "path": "/basePath", "value": ""}
    former.update_base_path_mapping(domainName="v1.shop.example", basePath="p", patchOperations=[change])
    assert former.get_base_path_mapping(domainName="v1.shop.example", basePath="(none)")["basePath"] == "(none)"
    former.delete_domain_name(domainName="v1.shop.example")
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.get_domain_name(DomainName="v1.shop.example")


@pytest.mark.parametrize(
    ("operation", "given", "code", "message"),
    [
        ("create_domain_name", {"DomainName": "x"}, "BadRequestException", "Invalid domain name"),
        (
            "create_domain_name",
            {"DomainName": "m.example", "MutualTlsAuthentication": {"TruststoreUri": "s3://b/k"}},
            "BadRequestException",
            "Mutual TLS",
        ),
        ("create_domain_name", {"DomainName": "taken.example"}, "ConflictException", "already exists"),
        ("create_api_mapping", {"DomainName": "none.example", "Stage": "dev"}, "NotFoundException", "domain name"),
        ("create_api_mapping", {"DomainName": "taken.example", "Stage": "no"}, "BadRequestException", "stage"),
        (
            "create_api_mapping",
            {"DomainName": "taken.example", "Stage": "dev", "ApiMappingKey": "/a"},
            "BadRequestException",
            "should not start with a '/'",
        ),
    ],
)
def test_what_cannot_be_is_refused(
    apis: Any, api: Any, operation: str, given: dict[str, Any], code: str, message: str
) -> None:
    if not any(item["DomainName"] == "taken.example" for item in apis.get_domain_names()["Items"]):
        apis.create_domain_name(DomainName="taken.example")
    named = {"ApiId": api["ApiId"]} if operation == "create_api_mapping" else {}
    with pytest.raises(ClientError) as refused:
        getattr(apis, operation)(**named, **given)
    assert refused.value.response["Error"]["Code"] == code
    assert message in refused.value.response["Error"]["Message"]


def test_a_template_makes_a_name_with_its_mappings(platform: PlatformProcess, apis: Any, echo: str) -> None:
    stacks = platform.client("cloudformation")
    stack = stacks.create_stack(StackName="domains", TemplateBody=TEMPLATE.replace("ARN", echo))["StackId"]

    def ended() -> str:
        while (found := stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]).endswith("_IN_PROGRESS"):
            time.sleep(0.05)
        return str(found)

    assert ended() == "CREATE_COMPLETE"
    assert by_name(platform, "stack.shop.example", "/v1/x").json["rawPath"] == "/x"
    stacks.delete_stack(StackName=stack)
    assert ended() == "DELETE_COMPLETE"
    with pytest.raises(apis.exceptions.NotFoundException):
        apis.get_domain_name(DomainName="stack.shop.example")
