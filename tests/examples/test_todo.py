"""`examples/todo`: who has a token has a list; who has none, or a bad one, does not come as far as the function."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from tests.conftest import PlatformProcess

from .application import deployed


def ask(url: str, token: str = "", method: str = "GET", body: Any = None) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **headers}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def login(url: str, code: str) -> str:
    status, said = ask(f"{url}/login", method="POST", body={"code": code})
    assert status == 200, said
    return str(said["token"])


def altered(token: str, head: dict[str, str] | None = None, **claims: object) -> str:
    """A token that says something else under the same signature."""

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    first, second, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(second + "=="))
    return f"{encoded(head) if head else first}.{encoded({**said, **claims})}.{signature}"


def test_each_user_has_a_list_and_nobody_else_sees_it(platform: PlatformProcess) -> None:
    with deployed(platform, "todo", "todo-example") as outputs:
        url = outputs["Url"]
        mine, yours = login(url, "me"), login(url, "you")
        assert ask(f"{url}/todos", mine) == (200, {"todos": []})
        status, milk = ask(f"{url}/todos", mine, "POST", {"text": "buy milk"})
        assert (status, milk["text"], milk["done"]) == (201, "buy milk", False)
        assert ask(f"{url}/todos", mine) == (200, {"todos": [milk]})
        assert ask(f"{url}/todos", yours) == (200, {"todos": []})
        item = f"{url}/todos/{milk['id']}"
        assert ask(item, yours, "PATCH", {"done": True})[0] == 404
        assert ask(item, mine, "PATCH", {"done": True}) == (200, {**milk, "done": True})
        assert ask(item, yours, "DELETE")[0] == 404
        assert ask(item, mine, "DELETE")[0] == 204
        assert ask(f"{url}/todos", mine) == (200, {"todos": []})
        assert ask(f"{url}/todos", mine, "POST", {"text": ""})[0] == 400
        assert ask(f"{url}/login", method="POST", body={})[0] == 400

        refused = (401, {"message": "Unauthorized"})
        assert ask(f"{url}/todos") == refused
        assert ask(f"{url}/todos", altered(mine, sub="you")) == refused
        assert ask(f"{url}/todos", altered(mine, exp=1)) == refused
        assert ask(f"{url}/todos", altered(mine, {"alg": "none", "typ": "JWT"})) == refused
        assert ask(f"{url}/todos", "nonsense") == refused
        platform.client("ssm").delete_parameter(Name="/todo-example/signing-key")
