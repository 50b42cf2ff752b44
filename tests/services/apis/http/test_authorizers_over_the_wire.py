"""Authorizers of HTTP APIs against the real server: tokens of an issuer made here, functions, signatures."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import PlatformProcess, start_platform
from tests.services.apis.authorizers.issuer import SigningKey
from tests.services.apis.http.wire import Answer, ask, function

SIMPLE = """
import json
def h(event, context):
    if event["identitySource"][0] == "who":
        raise Exception("Unauthorized")
    if event["identitySource"][0] == "broken":
        return {"isAuthorized": "yes"}
    return {"isAuthorized": event["identitySource"][0] == "good", "context": {"id": context.aws_request_id, "n": 1}}
"""
POLICY = """
def h(event, context):
    return {"principalId": "p", "context": {"k": "v"}, "policyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["methodArn"]}]}}
"""


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlatformProcess]:
    """A server that may send requests to this machine."""
    server, running = start_platform(tmp_path_factory.mktemp("authorizers") / "data", "--outgoing-allow", "127.0.0.0/8")
    yield running
    server.terminate()
    assert server.wait(60) == 0


class Issuer:
    """An issuer of tokens on a port of this machine."""

    def __init__(self) -> None:
        self.keys = [SigningKey("RS256", "one"), SigningKey("ES256", "two")]
        issuer = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages = {
                    "/.well-known/openid-configuration": {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"},
                    "/keys": {"keys": [key.public for key in issuer.keys]},
                }
                body = json.dumps(pages[self.path]).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, key: int = 0, **claims: Any) -> str:
        said = {"iss": self.url, "aud": "pets", "exp": int(time.time()) + 300, "scope": "read", "sub": "u"}
        return self.keys[key].token({**said, **claims})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def apis(near: PlatformProcess) -> Any:
    return near.client("apigatewayv2")


@pytest.fixture(scope="module")
def echo(near: PlatformProcess) -> str:
    return function(near, "authorized-echo")


def api_with(
    apis: Any, echo: str, authorizer: dict[str, Any] | None, *routes: dict[str, Any], version: str = "2.0"
) -> Any:
    """An API whose routes name an authorizer."""
    api = apis.create_api(Name="authorized", ProtocolType="HTTP")
    named = {"ApiId": api["ApiId"]}
    integration = apis.create_integration(
        **named, IntegrationType="AWS_PROXY", IntegrationUri=echo, PayloadFormatVersion=version
    )
    if authorizer is not None:
        made = apis.create_authorizer(**named, Name="a", **authorizer)
        routes = tuple({**route, "AuthorizerId": made["AuthorizerId"]} for route in routes)
    for route in routes:
        apis.create_route(**named, Target=f"integrations/{integration['IntegrationId']}", **route)
    apis.create_stage(**named, StageName="$default", AutoDeploy=True)
    return api


@pytest.fixture(scope="module")
def tokens(apis: Any, echo: str, issuer: Issuer) -> Any:
    return api_with(
        apis,
        echo,
        {
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.header.Authorization"],
            "JwtConfiguration": {"Issuer": issuer.url, "Audience": ["pets"]},
        },
        {"RouteKey": "GET /read", "AuthorizationType": "JWT", "AuthorizationScopes": ["read", "all"]},
        {"RouteKey": "GET /write", "AuthorizationType": "JWT", "AuthorizationScopes": ["write"]},
    )


def bearing(api: Any, path: str, token: str, scheme: str = "Bearer ") -> Answer:
    return ask(api["ApiEndpoint"], path, headers={"Authorization": f"{scheme}{token}"})


@pytest.mark.parametrize("key", [0, 1])
def test_a_token_that_holds_is_let_in_and_its_claims_are_told(tokens: Any, issuer: Issuer, key: int) -> None:
    for scheme in ("Bearer ", ""):
        answer = bearing(tokens, "/read", issuer.token(key, groups=["a", "b"], n=7), scheme)
        assert answer.status == 200
        found = answer.json["requestContext"]["authorizer"]["jwt"]
        assert found["scopes"] == ["read", "all"]
        assert (found["claims"]["sub"], found["claims"]["groups"], found["claims"]["n"]) == ("u", "[a b]", "7")


def test_a_token_without_the_scope_is_forbidden(tokens: Any, issuer: Issuer) -> None:
    answer = bearing(tokens, "/write", issuer.token())
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    assert 'error="insufficient_scope"' in (answer.header("www-authenticate") or "")


def test_a_token_that_does_not_hold_is_unauthorized(tokens: Any, issuer: Issuer) -> None:
    bad = {
        "expired": issuer.token(exp=int(time.time()) - 1),
        "issuer": issuer.token(iss="https://other.example"),
        "audience": issuer.token(aud="cats"),
        "not valid yet": issuer.token(nbf=int(time.time()) + 3600),
        "signing method": issuer.keys[0].token({}, alg="none"),
        "unknown": SigningKey("RS256", "three").token({"iss": issuer.url, "aud": "pets", "exp": time.time() + 9}),
        "signature": SigningKey("RS256", "one").token({"iss": issuer.url, "aud": "pets", "exp": time.time() + 9}),
        "malformed": "x",
    }
    for why, token in bad.items():
        answer = bearing(tokens, "/read", token)
        assert (answer.status, answer.json) == (401, {"message": "Unauthorized"}), why
        assert why in (answer.header("www-authenticate") or "")
    answer = ask(tokens["ApiEndpoint"], "/read")
    assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")


def test_an_issuer_that_cannot_be_asked_lets_nobody_in(apis: Any, echo: str) -> None:
    issuer = "http://127.0.0.1:9"
    api = api_with(
        apis,
        echo,
        {
            "AuthorizerType": "JWT",
            "IdentitySource": ["$request.querystring.token"],
            "JwtConfiguration": {"Issuer": issuer, "Audience": ["a"]},
        },
        {"RouteKey": "GET /a", "AuthorizationType": "JWT"},
    )
    token = SigningKey("RS256", "k").token({"iss": issuer, "aud": "a", "exp": time.time() + 9})
    answer = ask(api["ApiEndpoint"], f"/a?token={token}")
    assert answer.status == 401
    assert "OIDC discovery" in (answer.header("www-authenticate") or "")


@pytest.fixture(scope="module")
def simple(near: PlatformProcess, apis: Any, echo: str) -> Any:
    return api_with(
        apis,
        echo,
        {
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": function(near, "simple-authorizer", SIMPLE),
            "AuthorizerPayloadFormatVersion": "2.0",
            "EnableSimpleResponses": True,
            "IdentitySource": ["$request.header.X-Who"],
            "AuthorizerResultTtlInSeconds": 300,
        },
        {"RouteKey": "GET /a/{id}", "AuthorizationType": "CUSTOM"},
    )


def test_a_function_says_yes_or_no_and_is_asked_once(simple: Any) -> None:
    first = ask(simple["ApiEndpoint"], "/a/1", headers={"X-Who": "good"})
    second = ask(simple["ApiEndpoint"], "/a/2", headers={"X-Who": "good"})
    assert (first.status, second.status) == (200, 200)
    shown = first.json["requestContext"]["authorizer"]["lambda"]
    assert shown["n"] == 1
    assert second.json["requestContext"]["authorizer"]["lambda"] == shown
    denied = ask(simple["ApiEndpoint"], "/a/1", headers={"X-Who": "bad"})
    assert (denied.status, denied.json) == (403, {"message": "Forbidden"})


def test_a_caller_without_identity_is_unauthorized_and_the_function_not_asked(simple: Any) -> None:
    assert ask(simple["ApiEndpoint"], "/a/1").status == 401
    assert ask(simple["ApiEndpoint"], "/a/1", headers={"X-Who": "who"}).status == 401
    assert ask(simple["ApiEndpoint"], "/a/1", headers={"X-Who": "broken"}).status == 500


def test_what_is_cached_is_forgotten_when_it_is_reset(apis: Any, simple: Any) -> None:
    def decided() -> str:
        answer = ask(simple["ApiEndpoint"], "/a/1", headers={"X-Who": "good"})
        return str(answer.json["requestContext"]["authorizer"]["lambda"]["id"])

    before = decided()
    apis.reset_authorizers_cache(ApiId=simple["ApiId"], StageName="$default")
    assert decided() != before


def test_a_policy_of_format_1_is_judged_for_each_route(near: PlatformProcess, apis: Any, echo: str) -> None:
    api = api_with(
        apis,
        echo,
        {
            "AuthorizerType": "REQUEST",
            "AuthorizerUri": function(near, "policy-authorizer", POLICY),
            "AuthorizerPayloadFormatVersion": "1.0",
            "IdentitySource": ["$request.header.X-Who"],
        },
        {"RouteKey": "GET /a/{id}", "AuthorizationType": "CUSTOM"},
        version="1.0",
    )
    answer = ask(api["ApiEndpoint"], "/a/1", headers={"X-Who": "me"})
    assert answer.json["requestContext"]["authorizer"] == {"principalId": "p", "k": "v"}
    assert ask(api["ApiEndpoint"], "/a/2", headers={"X-Who": "me"}).status == 403  # the cached policy is for the other
    assert ask(api["ApiEndpoint"], "/a/2", headers={"X-Who": "you"}).status == 200


def test_a_route_may_ask_for_signatures(near: PlatformProcess, apis: Any, echo: str) -> None:
    api = api_with(apis, echo, None, {"RouteKey": "POST /a", "AuthorizationType": "AWS_IAM"})
    url = f"{api['ApiEndpoint']}/a?b=1"

    def signed(service: str) -> dict[str, str]:
        asked = AWSRequest("POST", url, data=b"{}", headers={"content-type": "application/json"})
        SigV4Auth(Credentials(near.access_key_id, near.secret_access_key), service, near.region).add_auth(asked)
        return dict(asked.headers.items())

    answer = ask(api["ApiEndpoint"], "/a?b=1", "POST", b"{}", signed("execute-api"))
    assert answer.status == 200
    assert answer.json["requestContext"]["authorizer"]["iam"]["accessKey"] == near.access_key_id
    for headers in ({}, signed("lambda")):
        refused = ask(api["ApiEndpoint"], "/a?b=1", "POST", b"{}", headers)
        assert (refused.status, refused.json) == (403, {"message": "Forbidden"})
    assert ask(api["ApiEndpoint"], "/a?b=1", "POST", b"[]", signed("execute-api")).status == 403
