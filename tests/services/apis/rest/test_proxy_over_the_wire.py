"""Lambda proxy integrations of REST APIs, from a client's socket to the function's process and back."""

import base64
import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.services.apis.rest.conftest import Rest, send
from tests.services.functions.stage import zipped


def test_a_function_sees_the_request_as_payload_format_1(rest: Rest) -> None:
    api = rest.create()
    pets = rest.resource(api, "pets")
    rest.proxy(api, rest.resource(api, "{id}", pets), "ANY")
    deployment = rest.deploy(api, variables={"color": "blue"})
    answer = send(
        "POST",
        rest.url(api, "/pets/a%2Bb?x=1&y=a+b&x=2"),
        b'{"a": 1}',
        {"Authorization": "secret", "X-Own": "v", "Content-Type": "application/json"},
    )
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-amzn-requestid"]
    assert answer.headers["x-amz-apigw-id"]
    assert answer.headers["x-amzn-trace-id"].startswith("Root=1-")
    event = answer.json
    assert event["resource"] == "/pets/{id}"
    assert event["path"] == "/pets/a%2Bb"
    assert event["httpMethod"] == "POST"
    assert event["headers"]["Authorization"] == "secret"
    assert event["headers"]["Content-Type"] == "application/json"
    assert event["multiValueHeaders"]["Host"] == [event["headers"]["Host"]]
    assert event["queryStringParameters"] == {"x": "2", "y": "a b"}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": ["a b"]}
    assert event["pathParameters"] == {"id": "a%2Bb"}
    assert event["stageVariables"] == {"color": "blue"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": 1}', False)
    context = event["requestContext"]
    assert context["resourcePath"] == "/pets/{id}"
    assert context["path"] == "/dev/pets/a%2Bb"
    assert (context["stage"], context["apiId"], context["deploymentId"]) == ("dev", api, deployment)
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["requestId"] == answer.headers["x-amzn-requestid"]


def test_a_host_name_leads_to_the_api_as_well(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.root(api), "GET")
    rest.deploy(api)
    host = f"{api}.execute-api.{rest.platform.region}.localhost"
    answer = send("GET", f"{rest.platform.url}/dev", headers={"Host": host})
    assert answer.json["requestContext"]["domainPrefix"] == api
    assert send("GET", f"{rest.platform.url}/dev/", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"statusCode": 201}, 201),
        ({"statusCode": "202"}, 202),
        ({"headers": {"a": "b"}}, 200),
        ({"statusCode": 200, "wrong": 1}, 502),
        ({}, 502),
        ("text", 502),
        ({"statusCode": "x"}, 502),
        ({"statusCode": 200, "multiValueHeaders": {"a": "b"}}, 502),
        ({"statusCode": 200, "body": {"a": 1}}, 502),
    ],
)
def test_what_a_function_returns_has_to_be_a_response(rest: Rest, said: object, status: int) -> None:
    api = rest.create()
    rest.proxy(api, rest.root(api), "POST", "answer")
    rest.deploy(api)
    answer = send("POST", rest.url(api, "/"), json.dumps(said).encode())
    assert answer.status == status
    if status == 502:
        assert answer.json == {"message": "Internal server error"}
        assert answer.headers["x-amzn-errortype"] == "InternalServerErrorException"


def test_headers_of_both_kinds_are_sent_and_bytes_only_where_the_api_has_binary_types(rest: Rest) -> None:
    api = rest.create(binaryMediaTypes=["image/png"])
    rest.proxy(api, rest.root(api), "POST", "answer")
    rest.deploy(api)
    said = {
        "statusCode": 200,
        "headers": {"one": "solo", "x-yes": True},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": base64.b64encode(b"\0bytes").decode(),
        "isBase64Encoded": True,
    }
    body = json.dumps(said).encode()
    text = send("POST", rest.url(api, "/"), body, {"Accept": "text/html"})
    assert text.body == base64.b64encode(b"\0bytes")
    assert (text.headers["one"], text.headers["x-yes"]) == ("solo", "true")
    assert send("POST", rest.url(api, "/"), body, {"Accept": "image/png"}).body == b"\0bytes"


def test_nothing_answers_where_there_is_no_method_and_nobody_where_there_is_no_stage(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.resource(api, "pets"), "GET")
    rest.deploy(api)
    for verb, path in (("GET", "/none"), ("POST", "/pets"), ("GET", "/")):
        answer = send(verb, rest.url(api, path))
        assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
        assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert send("GET", rest.url(api, "/pets", "none")).json == {"message": "Forbidden"}
    assert send("GET", rest.url("nosuchapi0", "/pets")).status == 403


def test_a_function_without_a_permission_for_the_api_is_not_called(rest: Rest) -> None:
    functions = rest.platform.client("lambda")
    arn = rest.functions["echo"]
    version = functions.publish_version(FunctionName=arn)["Version"]  # it has a policy of its own: none
    api = rest.create()
    rest.method(api, rest.root(api), "GET")
    uri = rest.function_uri("echo").replace("/invocations", f":{version}/invocations")
    rest.integrate(api, rest.root(api), "GET", type="AWS_PROXY", uri=uri)
    rest.deploy(api)
    answer = send("GET", rest.url(api, "/"))
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    (why,) = rest.said_of(answer.headers["x-amzn-requestid"])
    assert f"to API {api}: " in why
    assert "AddPermission" in why
    functions.add_permission(
        FunctionName=arn,
        Qualifier=version,
        StatementId=uuid.uuid4().hex,
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{rest.platform.region}:{rest.platform.account}:{api}/*/GET/",
    )
    assert send("GET", rest.url(api, "/")).status == 200


def test_a_stage_serves_what_was_deployed_and_not_what_was_changed_since(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.resource(api, "old"), "GET")
    rest.deploy(api)
    rest.proxy(api, rest.resource(api, "new"), "GET")
    assert send("GET", rest.url(api, "/new")).status == 403
    rest.deploy(api)
    assert send("GET", rest.url(api, "/new")).status == 200
    with pytest.raises(ClientError, match="Active stages pointing to this deployment must be moved or deleted"):
        rest.gateway.delete_deployment(
            restApiId=api, deploymentId=rest.gateway.get_stage(restApiId=api, stageName="dev")["deploymentId"]
        )


def test_a_function_that_keeps_tenants_apart_is_told_on_whose_behalf_it_is_called(rest: Rest, role: str) -> None:
    functions = rest.platform.client("lambda", read_timeout=60)
    code = (
        'seen = []\ndef handler(event, context):\n    seen.append(context.tenant_id)\n    return {"body": repr(seen)}\n'
    )
    name = f"tenants-{uuid.uuid4().hex[:8]}"
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=role,
        Code={"ZipFile": zipped({"app.py": code})},
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    functions.add_permission(
        FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    api, told = rest.create(), {"integration.request.header.X-Amz-Tenant-Id": "method.request.header.x-tenant"}
    for part, uri in (
        ("apart", rest.function_uri("echo").replace(rest.functions["echo"], arn)),
        ("together", rest.function_uri("echo")),
    ):
        resource = rest.resource(api, part)
        rest.method(api, resource, "GET", requestParameters={"method.request.header.x-tenant": False})
        rest.integrate(api, resource, "GET", type="AWS_PROXY", uri=uri, requestParameters=told)
    rest.deploy(api)
    said = [send("GET", rest.url(api, "/apart"), headers={"x-tenant": who}).body for who in ("blue", "red", "blue")]
    assert said == [b"['blue']", b"['red']", b"['blue', 'blue']"]
    assert send("GET", rest.url(api, "/apart")).status == 500
    assert send("GET", rest.url(api, "/apart"), headers={"x-tenant": "no<such>name"}).status == 500
    assert send("GET", rest.url(api, "/together"), headers={"x-tenant": "blue"}).status == 200
    functions.delete_function(FunctionName=name)
