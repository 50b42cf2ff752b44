"""What routes of WebSocket APIs may ask for: signatures, limits, other APIs, conversions."""

import base64
import json
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.exceptions import InvalidStatus

from tests.conftest import PlatformProcess
from tests.services.apis.http.wire import function
from tests.services.apis.websocket.conftest import Sockets, told


def mock(sockets: Sockets, api: str) -> str:
    return sockets.integrate(
        api,
        IntegrationType="MOCK",
        RequestTemplates={"200": '{"statusCode": 200}'},
        TemplateSelectionExpression="200",
    )


def answering(sockets: Sockets, api: str) -> str:
    """A mock that answers `{"ok": true}`."""
    made = mock(sockets, api)
    sockets.gateway.create_integration_response(
        ApiId=api,
        IntegrationId=made,
        IntegrationResponseKey="$default",
        TemplateSelectionExpression="200",
        ResponseTemplates={"200": '{"ok": true}'},
    )
    return made


def test_connecting_may_need_a_signature(sockets: Sockets) -> None:
    platform = sockets.platform
    api = sockets.create()
    sockets.route(api, "$connect", mock(sockets, api), AuthorizationType="AWS_IAM")
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)

    def signed(service: str, query: str = "") -> dict[str, str]:
        asked = AWSRequest("GET", f"{platform.url}/_mayfly/api/{api}/dev{query}")
        SigV4Auth(Credentials(platform.access_key_id, platform.secret_access_key), service, platform.region).add_auth(
            asked
        )
        return dict(asked.headers.items())

    for headers in ({}, signed("lambda"), signed("execute-api", "?other=1")):
        with pytest.raises(InvalidStatus) as refused, sockets.connect(api, additional_headers=headers):
            pass
        assert refused.value.response.status_code == 403
    with sockets.connect(api, "?a=1", additional_headers=signed("execute-api", "?a=1")) as socket:
        socket.send("who am I")
        identity = told(socket)["requestContext"]["identity"]
    assert identity["accessKey"] == platform.access_key_id
    assert identity["accountId"] == platform.account


def test_a_route_takes_as_many_messages_as_its_settings_say(sockets: Sockets) -> None:
    api = sockets.create()
    for key in ("few", "$default"):
        sockets.route(api, key, answering(sockets, api), answers=True)
    limits = {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001}
    sockets.deploy(api)
    sockets.gateway.update_stage(ApiId=api, StageName="dev", RouteSettings={"few": limits})
    with sockets.connect(api) as socket:
        answers = []
        for action in ("few", "few", "other"):
            socket.send(json.dumps({"action": action}))
            answers.append(told(socket).get("message"))
        assert answers == [None, "Too Many Requests", None]
        sockets.gateway.delete_route_settings(ApiId=api, StageName="dev", RouteKey="few")
        socket.send('{"action": "few"}')
        assert "message" not in told(socket)


def test_connecting_is_limited_like_any_route(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$connect", mock(sockets, api))
    limits = {"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 0.001}
    sockets.deploy(api, RouteSettings={"$connect": limits})
    with sockets.connect(api), pytest.raises(InvalidStatus) as refused, sockets.connect(api):
        pass
    assert refused.value.response.status_code == 429


@pytest.fixture(scope="module")
def echo(platform: PlatformProcess) -> str:
    return function(platform, "sockets-echo")


@pytest.fixture
def web(sockets: Sockets, echo: str) -> str:
    """The address that an HTTP API has on AWS, whose function answers what it was asked."""
    region = sockets.platform.region
    made = sockets.gateway.create_api(Name="behind", ProtocolType="HTTP", Target=echo)
    sockets.made.append(made["ApiId"])
    return f"https://{made['ApiId']}.execute-api.{region}.amazonaws.com"


def test_messages_go_to_an_http_api_and_its_answers_come_back(sockets: Sockets, web: str) -> None:
    api = sockets.create()
    proxy = sockets.integrate(
        api,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="POST",
        IntegrationUri=f"{web}/told/{{room}}",
        RequestParameters={
            "integration.request.path.room": "route.request.body.room",
            "integration.request.header.X-Connection": "context.connectionId",
            "integration.request.querystring.from": "'sockets'",
        },
    )
    sockets.route(api, "tell", proxy, answers=True)
    sockets.deploy(api)
    with sockets.connect(api) as socket:
        said = '{"action": "tell", "room": "blue"}'
        socket.send(said)
        event = told(socket)
    assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/told/blue", "from=sockets", said)
    assert len(event["headers"]["x-connection"]) == 16


def converting(sockets: Sockets, web: str, request: str | None, response: str | None) -> str:
    """An API whose messages and answers are converted on their way to an HTTP API and back."""
    api = sockets.create()
    params: dict[str, Any] = {"ContentHandlingStrategy": request} if request else {}
    integration = sockets.integrate(
        api, IntegrationType="HTTP", IntegrationMethod="POST", IntegrationUri=f"{web}/x", **params
    )
    if response:
        sockets.gateway.create_integration_response(
            ApiId=api,
            IntegrationId=integration,
            IntegrationResponseKey="$default",
            ContentHandlingStrategy=response,
        )
    sockets.route(api, "$default", integration, answers=True)
    sockets.deploy(api)
    return api


def test_messages_in_base64_reach_integrations_as_what_they_stand_for(sockets: Sockets, web: str) -> None:
    api = converting(sockets, web, "CONVERT_TO_BINARY", None)
    with sockets.connect(api) as socket:
        socket.send(base64.b64encode(b"plain").decode())
        event = told(socket)
        assert (event["body"], event["isBase64Encoded"]) == ("plain", False)
        socket.send("no base64!")
        assert told(socket)["message"] == "Internal server error"


def test_binary_messages_reach_integrations_as_base64(sockets: Sockets, web: str) -> None:
    api = converting(sockets, web, "CONVERT_TO_TEXT", None)
    with sockets.connect(api) as socket:
        socket.send(b"\x00\xff")
        event = told(socket)
    assert event["body"] == base64.b64encode(b"\x00\xff").decode()


def test_answers_reach_clients_as_base64(sockets: Sockets, web: str) -> None:
    api = converting(sockets, web, None, "CONVERT_TO_TEXT")
    with sockets.connect(api) as socket:
        socket.send("hello")
        said = socket.recv(timeout=30)
    assert json.loads(base64.b64decode(said))["body"] == "hello"
