"""Quotas of usage plans and the end of a server."""

from pathlib import Path

from tests.conftest import start_platform
from tests.services.apis.rest.conftest import Rest, send

STATUS_200 = {"application/json": '{"statusCode": 200}'}


def test_a_quota_is_as_used_up_after_the_server_was_killed(tmp_path: Path) -> None:
    server, running = start_platform(tmp_path / "data")
    try:
        rest = Rest(running, {})
        api = rest.create()
        root = rest.root(api)
        rest.method(api, root, "GET", apiKeyRequired=True)
        rest.integrate(api, root, "GET", type="MOCK", requestTemplates=STATUS_200)
        rest.respond(api, root, "GET")
        rest.deploy(api)
        stage = {"apiId": api, "stage": "dev"}
        quota = {"limit": 3, "period": "MONTH"}
        plan = rest.gateway.create_usage_plan(name="plan", apiStages=[stage], quota=quota)["id"]
        key = rest.gateway.create_api_key(name="key", enabled=True)
        rest.gateway.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
        named = {"x-api-key": key["value"]}
        assert [send("GET", rest.url(api, "/"), headers=named).status for _ in range(2)] == [200, 200]
    finally:
        server.kill()
        server.wait()
    server, running = start_platform(tmp_path / "data")
    try:
        rest = Rest(running, {})
        assert send("GET", rest.url(api, "/"), headers=named).status == 200
        refused = send("GET", rest.url(api, "/"), headers=named)
        assert (refused.status, refused.json) == (429, {"message": "Limit Exceeded"})
    finally:
        server.terminate()
        assert server.wait(60) == 0
