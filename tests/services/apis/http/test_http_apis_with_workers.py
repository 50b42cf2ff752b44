"""HTTP APIs of a server with several processes: each request is answered by the one that keeps them."""

from pathlib import Path

from tests.conftest import start_platform
from tests.services.apis.http.wire import ask, function


def test_apis_are_answered_whichever_process_accepts_and_after_a_restart(tmp_path: Path) -> None:
    server, running = start_platform(tmp_path / "data", "--workers", "2")
    try:
        apis = running.client("apigatewayv2")
        api = apis.create_api(Name="a", ProtocolType="HTTP", Target=function(running, "echo"))
        host = f"{api['ApiId']}.execute-api.us-east-1.amazonaws.com"
        for _ in range(8):
            assert ask(running.url, f"/_mayfly/api/{api['ApiId']}/x").json["rawPath"] == "/x"
            assert ask(running.url, "/y", headers={"Host": host}).json["rawPath"] == "/y"
        apis.create_domain_name(DomainName="shop.example")
        apis.create_api_mapping(DomainName="shop.example", ApiId=api["ApiId"], Stage="$default")
        assert ask(running.url, "/z", headers={"Host": "shop.example"}).status == 200
    finally:
        server.kill()
        server.wait()
    server, running = start_platform(tmp_path / "data")
    try:
        assert ask(running.url, f"/_mayfly/api/{api['ApiId']}/x").status == 200
        assert ask(running.url, "/z", headers={"Host": "shop.example"}).status == 200
    finally:
        server.terminate()
        assert server.wait(60) == 0
