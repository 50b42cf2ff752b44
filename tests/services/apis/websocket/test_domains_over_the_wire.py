"""Custom domain names that lead to WebSocket APIs: connections, and `@connections`."""

import socket as sockets_of_the_system
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.conftest import PlatformProcess
from tests.services.apis.websocket.conftest import Sockets, told


@contextmanager
def connected(platform: PlatformProcess, host: str, path: str) -> Iterator[ClientConnection]:
    """A connection to a name that no resolver knows."""
    place = urlsplit(platform.url)
    raw = sockets_of_the_system.create_connection((place.hostname, place.port), timeout=30)
    with connect(f"ws://{host}{path}", sock=raw, open_timeout=30) as socket:
        yield socket


def management(platform: PlatformProcess, host: str, path: str) -> Any:
    """A client of `@connections` below a name; what it signed for that name goes to the platform."""
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=f"http://{host}{path}",
        region_name=platform.region,
        aws_access_key_id=platform.access_key_id,
        aws_secret_access_key=platform.secret_access_key,
    )

    def redirect(request: Any, **_: Any) -> None:
        request.url = platform.url + urlsplit(request.url).path
        request.headers["Host"] = host

    client.meta.events.register("before-send", redirect)
    return client


@pytest.fixture
def mapped(sockets: Sockets) -> Iterator[tuple[str, str]]:
    """An API, and the name that leads to its stage below `/chat`. It answers under its own name no more."""
    api = sockets.create(DisableExecuteApiEndpoint=True)
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)
    host = f"{api}.rooms.example"
    sockets.gateway.create_domain_name(DomainName=host)
    sockets.gateway.create_api_mapping(DomainName=host, ApiId=api, Stage="dev", ApiMappingKey="chat")
    yield api, host
    sockets.gateway.delete_domain_name(DomainName=host)


def test_a_name_leads_to_the_stage_that_is_mapped_below_it(sockets: Sockets, mapped: tuple[str, str]) -> None:
    api, host = mapped
    for path in ("/chat", "/chat/?a=1"):
        with connected(sockets.platform, host, path) as socket:
            socket.send("hello")
            context = told(socket)["requestContext"]
            assert (context["domainName"], context["stage"], context["apiId"]) == (host, "dev", api)
    for path in ("/", "/dev", "/chat/dev"):
        with pytest.raises(InvalidStatus) as refused, connected(sockets.platform, host, path):
            pass
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as refused, sockets.connect(api):
        pass
    assert refused.value.response.status_code == 403


def test_connections_are_reached_below_the_name(sockets: Sockets, mapped: tuple[str, str]) -> None:
    _, host = mapped
    client = management(sockets.platform, host, "/chat")
    with connected(sockets.platform, host, "/chat") as socket:
        socket.send("hello")
        mine = told(socket)["requestContext"]["connectionId"]
        client.post_to_connection(ConnectionId=mine, Data=b"by name")
        assert socket.recv(timeout=30) == "by name"
        assert client.get_connection(ConnectionId=mine)["Identity"]["SourceIp"] == "127.0.0.1"
        client.delete_connection(ConnectionId=mine)
    with pytest.raises(client.exceptions.GoneException):
        client.post_to_connection(ConnectionId=mine, Data=b"x")


def test_a_mapping_without_a_path_takes_all_of_the_name(sockets: Sockets) -> None:
    api = sockets.create()
    sockets.route(api, "$default", answers=True)
    sockets.deploy(api)
    host = f"{api}.whole.example"
    sockets.gateway.create_domain_name(DomainName=host)
    sockets.gateway.create_api_mapping(DomainName=host, ApiId=api, Stage="dev")
    with connected(sockets.platform, host, "/") as socket:
        socket.send("hello")
        mine = told(socket)["requestContext"]["connectionId"]
        management(sockets.platform, host, "").post_to_connection(ConnectionId=mine, Data=b"by name")
        assert socket.recv(timeout=30) == "by name"
    sockets.gateway.delete_domain_name(DomainName=host)


def test_a_function_answers_by_the_custom_name_that_its_event_has(sockets: Sockets) -> None:
    api = sockets.create(DisableExecuteApiEndpoint=True)
    for key in ("$connect", "$disconnect", "send"):
        sockets.route(api, key)
    sockets.deploy(api)
    host = f"{api}.answers.example"
    sockets.gateway.create_domain_name(DomainName=host)
    sockets.gateway.create_api_mapping(DomainName=host, ApiId=api, Stage="dev", ApiMappingKey="dev")
    with connected(sockets.platform, host, "/dev") as socket:
        socket.send('{"action": "send", "data": "by a custom name"}')
        assert socket.recv(timeout=30) == "by a custom name"
    sockets.gateway.delete_domain_name(DomainName=host)
