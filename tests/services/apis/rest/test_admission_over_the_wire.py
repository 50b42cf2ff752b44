"""Who gets through to a method, with what, and how often."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.services.apis.rest.conftest import Rest, send


def mock(rest: Rest, **method: Any) -> tuple[str, str]:
    """An API with a POST that answers 200; the ids of the API and of its resource."""
    api = rest.create()
    resource = rest.resource(api, "r")
    rest.method(api, resource, "POST", **method)
    rest.integrate(api, resource, "POST", type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.respond(api, resource, "POST")
    return api, resource


def authorizer(rest: Rest, api: str, **params: Any) -> str:
    usual = {
        "name": "a",
        "type": "TOKEN",
        "authorizerUri": rest.function_uri("authorize"),
        "identitySource": "method.request.header.X-Token",
        "authorizerResultTtlInSeconds": 0,
    }
    made = rest.gateway.create_authorizer(restApiId=api, **{**usual, **params})
    return str(made["id"])


@pytest.mark.parametrize("kind", ["TOKEN", "REQUEST"])
def test_a_function_lets_in_whom_its_policy_allows(rest: Rest, kind: str) -> None:
    api = rest.create()
    one = authorizer(rest, api, type=kind)
    rest.proxy(api, rest.root(api), "GET", authorizationType="CUSTOM", authorizerId=one)
    rest.deploy(api)
    url = rest.url(api, "/")
    assert (answer := send("GET", url)).status == 401
    assert answer.json == {"message": "Unauthorized"}
    allowed = send("GET", url, headers={"X-Token": "good"})
    assert allowed.status == 200
    said = allowed.json["requestContext"]["authorizer"]
    assert (said["principalId"], said["who"], said["count"], said["yes"]) == ("good", "good", "3", "true")
    denied = send("GET", url, headers={"X-Token": "bad"})
    assert (denied.status, denied.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    assert denied.json == {"message": "User is not authorized to access this resource with an explicit deny"}
    assert send("GET", url, headers={"X-Token": "nobody"}).status == 401
    broken = send("GET", url, headers={"X-Token": "broken"})
    assert (broken.status, broken.json) == (500, {"message": None})
    assert broken.headers["x-amzn-errortype"] == "AuthorizerConfigurationException"


def test_what_was_decided_is_kept_and_judged_for_each_method(rest: Rest) -> None:
    api = rest.create()
    one = authorizer(rest, api, authorizerResultTtlInSeconds=300)
    for part in ("a", "b"):
        rest.proxy(api, rest.resource(api, part), "GET", authorizationType="CUSTOM", authorizerId=one)
    rest.deploy(api)
    assert send("GET", rest.url(api, "/a"), headers={"X-Token": "good"}).status == 200
    # The policy names the method that was called first, so it does not allow another.
    assert send("GET", rest.url(api, "/b"), headers={"X-Token": "good"}).status == 403
    assert send("GET", rest.url(api, "/b"), headers={"X-Token": "good-all"}).status == 200
    rest.gateway.flush_stage_authorizers_cache(restApiId=api, stageName="dev")
    assert send("GET", rest.url(api, "/b"), headers={"X-Token": "good"}).status == 200


def test_a_token_that_does_not_look_like_one_is_not_asked_about(rest: Rest) -> None:
    api = rest.create()
    one = authorizer(rest, api, identityValidationExpression="good-.*")
    rest.proxy(api, rest.root(api), "GET", authorizationType="CUSTOM", authorizerId=one)
    rest.deploy(api)
    assert send("GET", rest.url(api, "/"), headers={"X-Token": "good"}).status == 401
    assert send("GET", rest.url(api, "/"), headers={"X-Token": "good-all"}).status == 200


def test_a_signed_request_gets_in_and_an_unsigned_one_does_not(rest: Rest) -> None:
    api = rest.create()
    rest.proxy(api, rest.root(api), "GET", authorizationType="AWS_IAM")
    rest.deploy(api)
    url = rest.url(api, "/")
    assert send("GET", url).json == {"message": "Missing Authentication Token"}
    request = AWSRequest("GET", url)
    platform = rest.platform
    SigV4Auth(Credentials(platform.access_key_id, platform.secret_access_key), "execute-api", platform.region).add_auth(
        request
    )
    answer = send("GET", url, headers=dict(request.headers.items()))
    assert answer.json["requestContext"]["identity"]["accountId"] == platform.account
    SigV4Auth(Credentials(platform.access_key_id, "wrong"), "execute-api", platform.region).add_auth(request)
    assert send("GET", url, headers=dict(request.headers.items())).status == 403


def test_credentials_of_the_caller_call_the_function_in_the_name_of_who_signed(rest: Rest) -> None:
    api = rest.create()
    callers = "arn:aws:iam::*:user/*"
    uri = rest.function_uri("echo")
    for name, kind in (("signed", "AWS_IAM"), ("open", "NONE")):
        resource = rest.resource(api, name)
        rest.method(api, resource, "GET", authorizationType=kind)
        how = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": uri, "credentials": callers}
        rest.integrate(api, resource, "GET", **how)
    rest.deploy(api)
    url, platform = rest.url(api, "/signed"), rest.platform
    assert send("GET", url).status == 403
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(platform.access_key_id, platform.secret_access_key), "execute-api", platform.region).add_auth(
        request
    )
    assert send("GET", url, headers=dict(request.headers.items())).status == 200
    assert send("GET", rest.url(api, "/open")).status == 500


def test_a_resource_policy_keeps_addresses_out(rest: Rest) -> None:
    def policy(address: str) -> str:
        allow = {"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
        deny = {**allow, "Effect": "Deny", "Condition": {"NotIpAddress": {"aws:SourceIp": address}}}
        return json.dumps({"Version": "2012-10-17", "Statement": [allow, deny]})

    api = rest.create(policy=policy("127.0.0.0/8"))
    rest.proxy(api, rest.root(api), "GET")
    rest.deploy(api)
    assert send("GET", rest.url(api, "/")).status == 200
    patch = {"op": "replace", "path": "/policy", "value": policy("10.0.0.0/8")}
    rest.gateway.update_rest_api(restApiId=api, patchOperations=[patch])
    assert send("GET", rest.url(api, "/")).status == 200  # until it is deployed
    rest.deploy(api)
    answer = send("GET", rest.url(api, "/"))
    assert answer.status == 403
    assert "is not authorized to perform: execute-api:Invoke" in answer.json["message"]


def test_parameters_and_bodies_are_validated(rest: Rest) -> None:
    api, resource = mock(rest)
    schema = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    rest.gateway.create_model(restApiId=api, name="Pet", contentType="application/json", schema=json.dumps(schema))
    items = {"type": "array", "items": {"$ref": f"https://apigateway.amazonaws.com/restapis/{api}/models/Pet"}}
    rest.gateway.create_model(restApiId=api, name="Pets", contentType="application/json", schema=json.dumps(items))
    validator = rest.gateway.create_request_validator(
        restApiId=api, name="v", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    patches = [
        {"op": "replace", "path": "/requestValidatorId", "value": validator},
        {"op": "add", "path": "/requestParameters/method.request.querystring.q", "value": "true"},
        {"op": "add", "path": "/requestParameters/method.request.header.x-h", "value": "true"},
        {"op": "add", "path": "/requestModels/application~1json", "value": "Pets"},
    ]
    rest.gateway.update_method(restApiId=api, resourceId=resource, httpMethod="POST", patchOperations=patches)
    rest.deploy(api)
    kind = {"Content-Type": "application/json"}
    missing = send("POST", rest.url(api, "/r"), b"[]", kind)
    assert (missing.status, missing.json) == (400, {"message": "Missing required request parameters: [x-h, q]"})
    full = {**kind, "X-H": "1"}
    assert send("POST", rest.url(api, "/r?q=1"), b'[{"name": "a"}]', full).status == 200
    wrong = send("POST", rest.url(api, "/r?q=1"), b'[{"name": 1}]', full)
    assert (wrong.status, wrong.json) == (400, {"message": "Invalid request body"})
    assert send("POST", rest.url(api, "/r?q=1"), b"[{]", full).status == 400


def keyed(rest: Rest, api: str, **plan: Any) -> tuple[str, str, str]:
    """A plan for the stage dev, and a key in it: their ids, and the key's value."""
    gateway = rest.gateway
    key = gateway.create_api_key(name=uuid4().hex, enabled=True)
    made = gateway.create_usage_plan(name=uuid4().hex, apiStages=[{"apiId": api, "stage": "dev"}], **plan)
    gateway.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")
    return made["id"], key["id"], key["value"]


def drop(rest: Rest, plan: str, key: str, api: str) -> None:
    patch = {"op": "remove", "path": "/apiStages", "value": f"{api}:dev"}
    rest.gateway.update_usage_plan(usagePlanId=plan, patchOperations=[patch])
    rest.gateway.delete_usage_plan(usagePlanId=plan)
    rest.gateway.delete_api_key(apiKey=key)


def test_a_method_that_needs_a_key_takes_one_of_a_plan_for_its_stage_up_to_the_quota(rest: Rest) -> None:
    api, _ = mock(rest, apiKeyRequired=True)
    rest.deploy(api)
    url = rest.url(api, "/r")
    assert send("POST", url, b"{}").json == {"message": "Forbidden"}
    plan, key, value = keyed(rest, api, quota={"limit": 2, "period": "DAY"})
    other = rest.gateway.create_api_key(name="other", enabled=True)
    assert send("POST", url, b"{}", {"x-api-key": other["value"]}).status == 403
    rest.gateway.delete_api_key(apiKey=other["id"])
    assert [send("POST", url, b"{}", {"x-api-key": value}).status for _ in range(2)] == [200, 200]
    over = send("POST", url, b"{}", {"x-api-key": value})
    assert (over.status, over.json) == (429, {"message": "Limit Exceeded"})
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    used = rest.gateway.get_usage(usagePlanId=plan, startDate=today, endDate=today)
    assert used["items"] == {key: [[2, 0]]}
    rest.gateway.update_usage(
        usagePlanId=plan, keyId=key, patchOperations=[{"op": "replace", "path": "/remaining", "value": "1"}]
    )
    assert send("POST", url, b"{}", {"x-api-key": value}).status == 200
    assert send("POST", url, b"{}", {"x-api-key": value}).status == 429
    rest.gateway.update_api_key(apiKey=key, patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}])
    assert send("POST", url, b"{}", {"x-api-key": value}).status == 403
    drop(rest, plan, key, api)


def test_an_authorizer_may_say_which_key_a_request_uses(rest: Rest) -> None:
    api = rest.create(apiKeySource="AUTHORIZER")
    one = authorizer(rest, api)
    rest.proxy(api, rest.root(api), "GET", authorizationType="CUSTOM", authorizerId=one, apiKeyRequired=True)
    rest.deploy(api)
    assert send("GET", rest.url(api, "/"), headers={"X-Token": "good"}).status == 403
    key = rest.gateway.create_api_key(name="by authorizer", enabled=True, value="key-of-the-authorizer-1")
    plan = rest.gateway.create_usage_plan(name=uuid4().hex, apiStages=[{"apiId": api, "stage": "dev"}])
    rest.gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    answer = send("GET", rest.url(api, "/"), headers={"X-Token": "good"})
    assert answer.json["requestContext"]["identity"]["apiKeyId"] == key["id"]
    drop(rest, plan["id"], key["id"], api)


def test_plans_and_stages_throttle(rest: Rest) -> None:
    api, _ = mock(rest, apiKeyRequired=True)
    rest.deploy(api)
    url = rest.url(api, "/r")
    throttle = {"/r/POST": {"rateLimit": 0.001, "burstLimit": 1}}
    gateway = rest.gateway
    key = gateway.create_api_key(name=uuid4().hex, enabled=True)
    stage = {"apiId": api, "stage": "dev", "throttle": throttle}
    plan = gateway.create_usage_plan(name=uuid4().hex, apiStages=[stage])
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    assert send("POST", url, b"{}", {"x-api-key": key["value"]}).status == 200
    limited = send("POST", url, b"{}", {"x-api-key": key["value"]})
    assert (limited.status, limited.json) == (429, {"message": "Too Many Requests"})
    drop(rest, plan["id"], key["id"], api)

    open_api, _ = mock(rest)
    rest.deploy(open_api)
    patches = [
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.001"},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"},
    ]
    gateway.update_stage(restApiId=open_api, stageName="dev", patchOperations=patches)
    found = [send("POST", rest.url(open_api, "/r"), b"{}").status for _ in range(3)]
    assert found == [200, 200, 429]


def test_a_gateway_response_is_what_the_api_makes_of_it(rest: Rest) -> None:
    api, _ = mock(rest)
    rest.gateway.put_gateway_response(
        restApiId=api,
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters={
            "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
            "gatewayresponse.header.x-asked": "method.request.header.X-Mine",
        },
        responseTemplates={"application/json": '{"m": $context.error.messageString, "s": "$context.stage"}'},
    )
    rest.deploy(api)
    answer = send("GET", rest.url(api, "/none"), headers={"X-Mine": "m"})
    assert (answer.status, answer.json) == (404, {"m": "Missing Authentication Token", "s": "dev"})
    assert (answer.headers["access-control-allow-origin"], answer.headers["x-asked"]) == ("*", "m")


def test_a_canary_gets_its_share_with_variables_of_its_own(rest: Rest) -> None:
    api = rest.create()
    root = rest.root(api)
    rest.proxy(api, root, "GET")
    first = rest.deploy(api, variables={"v": "stage", "w": "kept"})
    canary = {"percentTraffic": 100.0, "stageVariableOverrides": {"v": "canary"}}
    second = rest.deploy(api, canarySettings=canary)
    event = send("GET", rest.url(api, "/")).json
    assert event["stageVariables"] == {"v": "canary", "w": "kept"}
    assert event["requestContext"]["deploymentId"] == second
    patch = {"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0.0"}
    rest.gateway.update_stage(restApiId=api, stageName="dev", patchOperations=[patch])
    event = send("GET", rest.url(api, "/")).json
    assert (event["stageVariables"]["v"], event["requestContext"]["deploymentId"]) == ("stage", first)


def test_responses_are_cached_by_their_keys(rest: Rest) -> None:
    api = rest.create()
    item = rest.resource(api, "{id}")
    rest.method(api, item, "GET", requestParameters={"method.request.path.id": True})
    uri = rest.function_uri("echo")
    rest.integrate(api, item, "GET", type="AWS_PROXY", uri=uri, cacheKeyParameters=["method.request.path.id"])
    rest.deploy(api)
    patches = [
        {"op": "replace", "path": "/cacheClusterEnabled", "value": "true"},
        {"op": "replace", "path": "/*/*/caching/enabled", "value": "true"},
        {"op": "replace", "path": "/*/*/caching/requireAuthorizationForCacheControl", "value": "false"},
    ]
    rest.gateway.update_stage(restApiId=api, stageName="dev", patchOperations=patches)

    def asked(path: str, headers: dict[str, str] | None = None) -> str:
        return str(send("GET", rest.url(api, path), headers=headers).json["requestContext"]["requestId"])

    first = asked("/1")
    assert asked("/1") == first
    assert asked("/2") != first
    assert asked("/1", {"Cache-Control": "max-age=0"}) != first
    second = asked("/1")
    assert second != first
    rest.gateway.flush_stage_cache(restApiId=api, stageName="dev")
    assert asked("/1") != second


def test_bodies_are_compressed_from_a_size_on(rest: Rest) -> None:
    api = rest.create(minimumCompressionSize=100)
    rest.proxy(api, rest.root(api), "POST", "answer")
    rest.deploy(api)
    said = json.dumps({"statusCode": 200, "body": "x" * 1000}).encode()
    assert send("POST", rest.url(api, "/"), said, {"Accept-Encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in send("POST", rest.url(api, "/"), said, {"Accept-Encoding": "identity"}).headers


def test_a_stage_logs_accesses_in_the_format_that_it_is_told(rest: Rest) -> None:
    logs, group = rest.platform.client("logs"), f"/access/{uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    api, _ = mock(rest)
    rest.deploy(api)
    arn = f"arn:aws:logs:{rest.platform.region}:{rest.platform.account}:log-group:{group}"
    patches = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": arn},
        {
            "op": "replace",
            "path": "/accessLogSettings/format",
            "value": "$context.httpMethod $context.status $context.integration.status $context.nope",
        },
        {"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"},
    ]
    rest.gateway.update_stage(restApiId=api, stageName="dev", patchOperations=patches)
    assert send("POST", rest.url(api, "/r"), b"{}").status == 200
    deadline = time.monotonic() + 20

    def lines(name: str) -> list[str]:
        try:
            return [event["message"] for event in logs.filter_log_events(logGroupName=name)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    while not (lines(group) and lines(f"API-Gateway-Execution-Logs_{api}/dev")):
        assert time.monotonic() < deadline, "no lines came"
        time.sleep(0.05)
    assert lines(group) == ["POST 200 200 -"]
    assert any("Method completed with status: 200" in line for line in lines(f"API-Gateway-Execution-Logs_{api}/dev"))
