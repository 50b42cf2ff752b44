"""APIs made of OpenAPI documents."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.apis.rest.conftest import Rest, send


def sam_like(rest: Rest) -> dict[str, Any]:
    """What SAM makes of a function with an Api event."""
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": rest.function_uri("echo")}
    return {
        "swagger": "2.0",
        "info": {"version": "1.0", "title": "sam"},
        "paths": {
            "/pets/{id}": {"get": {"x-amazon-apigateway-integration": integration, "responses": {}}},
            "/any": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": integration}},
        },
    }


def test_what_sam_makes_answers_once_it_is_deployed(rest: Rest) -> None:
    made = rest.gateway.import_rest_api(body=json.dumps(sam_like(rest)).encode())
    rest.made.append(made["id"])
    assert (made["name"], made["version"]) == ("sam", "1.0")
    resources = rest.gateway.get_resources(restApiId=made["id"])["items"]
    assert [one["path"] for one in resources] == ["/", "/any", "/pets", "/pets/{id}"]
    rest.deploy(made["id"])
    answer = send("GET", rest.url(made["id"], "/pets/7"))
    assert answer.json["pathParameters"] == {"id": "7"}
    assert send("PATCH", rest.url(made["id"], "/any")).json["httpMethod"] == "PATCH"


def test_a_document_may_name_the_place_that_it_is_imported_to(rest: Rest) -> None:
    document = sam_like(rest)
    uri, place = rest.function_uri("echo"), (rest.platform.region, rest.platform.account)
    said = uri.replace(place[0], "${AWS::Region}").replace(place[1], "${AWS::AccountId}")
    document["paths"]["/any"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"]["uri"] = (
        said.replace("arn:aws:", "arn:${AWS::Partition}:")
    )
    api = rest.create()
    rest.gateway.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(document).encode())
    any_ = next(one for one in rest.gateway.get_resources(restApiId=api)["items"] if one["path"] == "/any")
    found = rest.gateway.get_integration(restApiId=api, resourceId=any_["id"], httpMethod="ANY")
    assert found["uri"] == uri
    made = rest.gateway.import_rest_api(body=json.dumps(document).encode())
    rest.made.append(made["id"])
    rest.deploy(made["id"])
    assert send("GET", rest.url(made["id"], "/any")).status == 200


def test_servers_that_are_no_list_say_nothing(rest: Rest) -> None:
    document = {
        "openapi": "3.0.1",
        "info": {"title": "hand-written", "version": "1"},
        "servers": {"variables": {"basePath": {"default": "/v1"}}},
        "paths": sam_like(rest)["paths"],
    }
    made = rest.gateway.import_rest_api(body=json.dumps(document).encode(), parameters={"basepath": "prepend"})
    rest.made.append(made["id"])
    assert "/any" in {one["path"] for one in rest.gateway.get_resources(restApiId=made["id"])["items"]}


def test_an_import_in_yaml_makes_models_validators_authorizers_and_gateway_responses(rest: Rest) -> None:
    document = f"""
openapi: 3.0.1
info: {{title: yaml, version: 2015-07-09}}
x-amazon-apigateway-request-validators:
  all: {{validateRequestBody: true, validateRequestParameters: true}}
x-amazon-apigateway-request-validator: all
x-amazon-apigateway-gateway-responses:
  DEFAULT_4XX:
    responseParameters:
      gatewayresponse.header.Access-Control-Allow-Origin: "'*'"
components:
  schemas:
    Pet: {{type: object, required: [name], properties: {{name: {{type: string}}}}}}
    Pets: {{type: array, items: {{$ref: '#/components/schemas/Pet'}}}}
  securitySchemes:
    token:
      type: apiKey
      name: X-Token
      in: header
      x-amazon-apigateway-authtype: custom
      x-amazon-apigateway-authorizer:
        type: token
        authorizerUri: {rest.function_uri("authorize")}
        authorizerResultTtlInSeconds: 0
paths:
  /pets:
    post:
      operationId: addPet
      security: [{{token: []}}]
      parameters:
        - {{name: dry, in: query, required: true, schema: {{type: string}}}}
      requestBody: {{content: {{application/json: {{schema: {{$ref: '#/components/schemas/Pet'}}}}}}}}
      responses:
        '200':
          description: ok
          content: {{application/json: {{schema: {{$ref: '#/components/schemas/Pets'}}}}}}
      x-amazon-apigateway-integration:
        type: mock
        requestTemplates: {{application/json: '{{"statusCode": 200}}'}}
        responses: {{default: {{statusCode: '200'}}}}
"""
    made = rest.gateway.import_rest_api(body=document.encode())
    api = made["id"]
    rest.made.append(api)
    assert made["version"] == "2015-07-09"
    assert {one["name"] for one in rest.gateway.get_models(restApiId=api)["items"]} == {"Pet", "Pets"}
    (validator,) = rest.gateway.get_request_validators(restApiId=api)["items"]
    (authorizer,) = rest.gateway.get_authorizers(restApiId=api)["items"]
    assert (authorizer["name"], authorizer["identitySource"]) == ("token", "method.request.header.X-Token")
    resources = rest.gateway.get_resources(restApiId=api, embed=["methods"])["items"]
    method = next(one for one in resources if one["path"] == "/pets")["resourceMethods"]["POST"]
    assert method["authorizationType"] == "CUSTOM"
    assert method["authorizerId"] == authorizer["id"]
    assert method["requestValidatorId"] == validator["id"]
    assert method["requestParameters"] == {"method.request.querystring.dry": True}
    assert method["requestModels"] == {"application/json": "Pet"}
    assert method["methodResponses"]["200"]["responseModels"] == {"application/json": "Pets"}
    assert method["methodIntegration"]["integrationResponses"]["200"] == {"statusCode": "200"}
    response = rest.gateway.get_gateway_response(restApiId=api, responseType="UNAUTHORIZED")
    assert response["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
    schema = json.loads(rest.gateway.get_model(restApiId=api, modelName="Pets", flatten=True)["schema"])
    assert schema["definitions"]["Pet"]["required"] == ["name"]


def test_an_api_is_overwritten_or_merged(rest: Rest) -> None:
    api = rest.create(description="kept where it is merged")
    rest.method(api, rest.resource(api, "own"), "GET")
    merged = rest.gateway.put_rest_api(restApiId=api, mode="merge", body=json.dumps(sam_like(rest)).encode())
    assert (merged["version"], merged["description"]) == ("1.0", "kept where it is merged")
    assert merged["name"] != "sam"
    paths = {one["path"] for one in rest.gateway.get_resources(restApiId=api)["items"]}
    assert paths == {"/", "/own", "/any", "/pets", "/pets/{id}"}
    put = rest.gateway.put_rest_api(restApiId=api, mode="overwrite", body=json.dumps(sam_like(rest)).encode())
    assert put["name"] == "sam"
    items = rest.gateway.get_resources(restApiId=api)["items"]
    assert {one["path"] for one in items} == {"/", "/any", "/pets", "/pets/{id}"}
    assert next(one["id"] for one in items if one["path"] == "/") == rest.root(api)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1, 2]",
        b"{",
        b'{"openapi": "4.0.0", "info": {"title": "x"}, "paths": {}}',
        b"swagger: '2.0'\ninfo: !!python/object/apply:os.system [x]\n",
        b"\n".join(
            [b"a: &a [x, x, x, x, x, x, x, x, x, x]"]
            + [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 10)}]".encode() for n in range(9)]
        ),
    ],
)
def test_what_is_no_document_makes_nothing(rest: Rest, body: bytes) -> None:
    with pytest.raises(ClientError, match=r"BadRequestException|ValidationException"):
        rest.gateway.import_rest_api(body=body)


def test_an_integration_that_cannot_be_is_said_with_its_place_and_makes_nothing(rest: Rest) -> None:
    document = sam_like(rest)
    document["info"]["title"] = "bad integration"
    document["paths"]["/any"]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"] = {
        "type": "aws_proxy",
        "httpMethod": "POST",
        "uri": "arn:aws:lambda:us-east-1:000000000000:function:x",
    }
    with pytest.raises(ClientError, match="Unable to put integration on 'ANY' for resource at path '/any'"):
        rest.gateway.import_rest_api(body=json.dumps(document).encode())
    assert "bad integration" not in [one["name"] for one in rest.gateway.get_rest_apis(limit=500)["items"]]


def test_warnings_fail_an_import_that_asks_for_it(rest: Rest) -> None:
    document = sam_like(rest)
    document["paths"]["/pets/{id}"]["get"]["security"] = [{"unknown": []}]
    with pytest.raises(ClientError, match="Security scheme unknown is not supported"):
        rest.gateway.import_rest_api(body=json.dumps(document).encode(), failOnWarnings=True)
    made = rest.gateway.import_rest_api(body=json.dumps(document).encode())
    rest.made.append(made["id"])
    assert made["warnings"] == ["Security scheme unknown is not supported"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"openapi.yaml", "12 bytes that are no object of JSON or YAML: 'openapi.yaml'"),
        (b"\xa2\x97\xda\x96", "4 bytes that are no object of JSON or YAML"),
        (b"x" * 100, "100 bytes that are no object of JSON or YAML"),
        (b" ", "The body is empty"),
    ],
)
def test_what_is_no_document_is_shown_with_what_to_write(rest: Rest, body: bytes, says: str) -> None:
    with pytest.raises(ClientError) as refused:
        rest.gateway.import_rest_api(body=body)
    said = refused.value.response["Error"]["Message"]
    assert said.startswith("Invalid OpenAPI input. ")
    assert says in said
    assert body == b" " or "--body fileb://" in said


def test_an_export_names_the_address_where_the_api_answers(rest: Rest) -> None:
    api = rest.create()
    rest.method(api, rest.root(api), "GET")
    rest.integrate(
        api, rest.root(api), "GET", type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    rest.respond(api, rest.root(api), "GET")
    rest.deploy(api)
    documents = {
        kind: json.loads(rest.gateway.get_export(restApiId=api, stageName="dev", exportType=kind)["body"].read())
        for kind in ("oas30", "swagger")
    }
    (server,) = documents["oas30"]["servers"]
    assert (
        send("GET", server["url"].replace("{basePath}", server["variables"]["basePath"]["default"]) + "/").status == 200
    )
    old = documents["swagger"]
    assert send("GET", f"{old['schemes'][0]}://{old['host']}{old['basePath']}/").status == 200


def test_trying_a_method_logs_each_line_once(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.method(api, root, "POST")
    rest.integrate(api, root, "POST", type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.respond(api, root, "POST", responseTemplates={"application/json": "made"})
    tried = rest.gateway.test_invoke_method(restApiId=api, resourceId=root, httpMethod="POST", body="{}")
    lines = [line.partition(" : ")[2] for line in tried["log"].splitlines()[1:]]
    assert len(lines) == len(set(lines))
    assert "Method request body before transformations: {}" in lines
    assert 'Endpoint request body after transformations: {"statusCode": 200}' in lines
    assert "Method response body after transformations: made" in lines
