"""What else there is about REST APIs: exports, trials, documentation, keys from a file, certificates, refusals."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.apis.rest.conftest import Rest, send


def sample(rest: Rest) -> str:
    api = rest.create(description="d", binaryMediaTypes=["image/png"])
    item = rest.resource(api, "{id}")
    rest.method(api, item, "GET", apiKeyRequired=True, requestParameters={"method.request.path.id": True})
    rest.integrate(api, item, "GET", type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    template = '{"id": "$input.params(\'id\')"}'
    rest.respond(api, item, "GET", responseTemplates={"application/json": template})
    rest.deploy(api)
    return api


@pytest.mark.parametrize("kind", ["oas30", "swagger"])
@pytest.mark.parametrize("accepts", ["application/json", "application/yaml"])
def test_what_is_exported_can_be_imported_and_answers_the_same(rest: Rest, kind: str, accepts: str) -> None:
    api = sample(rest)
    exported = rest.gateway.get_export(
        restApiId=api, stageName="dev", exportType=kind, accepts=accepts, parameters={"extensions": "apigateway"}
    )
    assert exported["contentDisposition"].startswith("attachment")
    made = rest.gateway.import_rest_api(body=exported["body"].read(), failOnWarnings=True)
    rest.made.append(made["id"])
    (method,) = [
        one["resourceMethods"]["GET"]
        for one in rest.gateway.get_resources(restApiId=made["id"], embed=["methods"])["items"]
        if one["path"] == "/{id}"
    ]
    assert method["apiKeyRequired"]
    assert method["requestParameters"] == {"method.request.path.id": True}
    assert made["binaryMediaTypes"] == ["image/png"]
    resource = next(
        one["id"] for one in rest.gateway.get_resources(restApiId=made["id"])["items"] if one["path"] == "/{id}"
    )
    tried = rest.gateway.test_invoke_method(
        restApiId=made["id"], resourceId=resource, httpMethod="GET", pathWithQueryString="/7"
    )
    assert (tried["status"], json.loads(tried["body"])) == (200, {"id": "7"})
    assert "Method completed with status: 200" in tried["log"]


def test_an_authorizer_is_tried(rest: Rest) -> None:
    api = rest.create()
    made = rest.gateway.create_authorizer(
        restApiId=api,
        name="a",
        type="TOKEN",
        authorizerUri=rest.function_uri("authorize"),
        identitySource="method.request.header.X-Token",
    )
    tried = rest.gateway.test_invoke_authorizer(restApiId=api, authorizerId=made["id"], headers={"X-Token": "good"})
    assert (tried["clientStatus"], tried["principalId"]) == (0, "good")
    refused = rest.gateway.test_invoke_authorizer(restApiId=api, authorizerId=made["id"], headers={"X-Token": "nobody"})
    assert refused["clientStatus"] == 401


def test_documentation_is_written_imported_and_kept_as_versions(rest: Rest) -> None:
    api, gateway = rest.create(), rest.gateway
    part = gateway.create_documentation_part(restApiId=api, location={"type": "API"}, properties='{"info": 1}')
    gateway.create_documentation_version(restApiId=api, documentationVersion="1")
    parts = {"documentationParts": [{"location": {"type": "METHOD", "path": "/"}, "properties": {"description": "x"}}]}
    body = json.dumps({"x-amazon-apigateway-documentation": parts}).encode()
    (imported,) = gateway.import_documentation_parts(restApiId=api, mode="merge", body=body)["ids"]
    found = {one["id"] for one in gateway.get_documentation_parts(restApiId=api)["items"]}
    assert found == {part["id"], imported}
    with pytest.raises(ClientError, match="Unable to build importer"):
        gateway.import_documentation_parts(restApiId=api, mode="merge", body=b"[]")
    assert [one["version"] for one in gateway.get_documentation_versions(restApiId=api)["items"]] == ["1"]


def test_keys_are_imported_from_a_file(rest: Rest) -> None:
    content = b"name,key,description,Enabled\nimported-1,value-of-the-imported-key-1,d,TRUE\n"
    (key,) = rest.gateway.import_api_keys(body=content, format="csv")["ids"]
    found = rest.gateway.get_api_key(apiKey=key, includeValue=True)
    assert (found["value"], found["enabled"]) == ("value-of-the-imported-key-1", True)
    rest.gateway.delete_api_key(apiKey=key)
    with pytest.raises(ClientError, match="the columns name and key"):
        rest.gateway.import_api_keys(body=b"a,b\n1,2\n", format="csv")


def test_a_client_certificate_is_made_and_deleted(rest: Rest) -> None:
    made = rest.gateway.generate_client_certificate(description="d")
    assert made["pemEncodedCertificate"].startswith("-----BEGIN CERTIFICATE-----")
    rest.gateway.delete_client_certificate(clientCertificateId=made["clientCertificateId"])
    with pytest.raises(ClientError, match="Invalid Client Certificate identifier specified"):
        rest.gateway.get_client_certificate(clientCertificateId=made["clientCertificateId"])


def test_what_only_aws_has_is_refused_with_the_reason(rest: Rest) -> None:
    gateway = rest.gateway
    with pytest.raises(ClientError, match="no VPC links"):
        gateway.create_vpc_link(name="x", targetArns=["arn:aws:elasticloadbalancing:us-east-1:0:loadbalancer/net/x/y"])
    api = sample(rest)
    with pytest.raises(ClientError, match="does not generate SDKs"):
        gateway.get_sdk(restApiId=api, stageName="dev", sdkType="javascript")


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**params)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_errors_are_those_of_aws(rest: Rest) -> None:
    gateway, api = rest.gateway, rest.create()
    root = rest.root(api)
    account = rest.platform.account
    assert refused(gateway.get_rest_api, restApiId="none") == (
        "NotFoundException",
        f"Invalid API identifier specified {account}:none",
    )
    proxy = rest.resource(api, "{proxy+}")
    assert refused(gateway.create_resource, restApiId=api, parentId=proxy, pathPart="x")[1] == (
        "Cannot create a child of a resource with a greedy path variable: {proxy+}"
    )
    assert refused(gateway.create_resource, restApiId=api, parentId=root, pathPart="{y}")[1] == (
        "A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed"
    )
    assert refused(gateway.create_deployment, restApiId=api)[1] == "The REST API doesn't contain any methods"
    where = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    assert refused(gateway.put_method, **where, authorizationType="CUSTOM")[1].startswith("Invalid authorizer ID")
    rest.method(api, root, "GET")
    wrong = {"type": "AWS_PROXY", "integrationHttpMethod": "POST"}
    assert refused(gateway.put_integration, **where, **wrong, uri="arn:aws:apigateway:us-east-1:s3:path/b/k")[1] == (
        "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
    )
    assert refused(gateway.put_integration, **where, type="WRONG")[0] == "ValidationException"
    gateway.update_rest_api(restApiId=api, patchOperations=[{"op": "add", "path": "/binaryMediaTypes/image~1png"}])
    assert gateway.get_rest_api(restApiId=api)["binaryMediaTypes"] == ["image/png"]


def test_lists_come_in_pages(rest: Rest) -> None:
    api = rest.create()
    for number in range(5):
        rest.resource(api, f"r{number}")
    found: list[str] = []
    position: str | None = None
    while True:
        more: dict[str, Any] = {"position": position} if position else {}
        page = rest.gateway.get_resources(restApiId=api, limit=2, **more)
        assert len(page["items"]) <= 2
        found += [one["path"] for one in page["items"]]
        position = page.get("position")
        if position is None:
            break
    assert found == ["/", "/r0", "/r1", "/r2", "/r3", "/r4"]
    with pytest.raises(ClientError, match="Invalid position"):
        rest.gateway.get_resources(restApiId=api, position="nonsense")


def test_an_api_that_is_deleted_answers_no_more(rest: Rest) -> None:
    api = sample(rest)
    rest.gateway.delete_rest_api(restApiId=api)
    rest.made.remove(api)
    assert send("GET", rest.url(api, "/7")).json == {"message": "Forbidden"}
