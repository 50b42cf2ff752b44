"""Functions that trace, called over two fronts: who decides, and that all of them tell the same."""

import json
import urllib.request
from typing import Any

from tests.conftest import PlatformProcess
from tests.front.conftest import log_of, make_function
from tests.services.functions.web.test_urls import OPEN

SEEN = "import os\n\ndef handler(event, context):\n    return os.environ['_X_AMZN_TRACE_ID']\n"
ROOT = "Root=1-5759e988-bd862e3fe1be46a994272793"


def invoke(client: Any, name: str) -> tuple[str, str]:
    """The trace that the function had, and the one that its caller was told."""
    reply = client.invoke(FunctionName=name, Payload=b"{}")
    return json.load(reply["Payload"]), reply["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"]


def traced_by(client: Any, header: str) -> Any:
    """`client`, whose calls are part of a trace."""

    def add(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    client.meta.events.register("before-send.lambda.*", add)
    return client


def test_the_core_decides_what_nobody_has_decided(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "decided", SEEN, TracingConfig={"Mode": "Active"})
    clients = [crowd.client("lambda") for _ in range(4)]  # each on a connection of its own
    calls = [invoke(clients[at % 4], name) for at in range(80)]
    assert all(had == told for had, told in calls)
    assert len({had.partition(";")[0] for had, _ in calls}) == len(calls)
    sampled = [had for had, _ in calls if "Sampled=1;Lineage=" in had]
    assert calls[0][0] in sampled
    report = "".join(log_of(crowd, name))
    assert report.count("XRAY TraceId") == len(sampled)


def test_fronts_carry_out_what_was_decided_before(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "carried", SEEN, TracingConfig={"Mode": "Active"})
    for decision in ("0", "1"):
        client = traced_by(crowd.client("lambda"), f"{ROOT};Parent=53995c3f42cd8ad8;Sampled={decision}")
        calls = [invoke(client, name) for _ in range(40)]
        assert all(
            had == told and had.startswith(ROOT) and f"Sampled={decision};Lineage=" in had for had, told in calls
        )
    assert "".join(log_of(crowd, name)).count("XRAY TraceId") == 40


def test_a_url_of_a_function_that_traces_works_over_fronts(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "traced-url", SEEN, TracingConfig={"Mode": "Active"})
    client = crowd.client("lambda")
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    for permission in OPEN:
        client.add_permission(FunctionName=name, **permission)
    for header in (None, f"{ROOT};Sampled=1"):
        for _ in range(10):
            request = urllib.request.Request(url, headers={"X-Amzn-Trace-Id": header} if header else {})
            with urllib.request.urlopen(request, timeout=30) as response:
                told, had = response.headers["x-amzn-trace-id"], response.read().decode()
            assert told.partition(";")[0] == had.partition(";")[0]
            assert header is None or had.startswith(ROOT)


def test_json_logs_are_the_same_over_fronts(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "json", SEEN, LoggingConfig={"LogFormat": "JSON"})
    client = crowd.client("lambda")
    for _ in range(60):
        invoke(client, name)
    records = [json.loads(line) for line in log_of(crowd, name)]
    kinds = [record["type"] for record in records if record["type"] != "platform.initStart"]
    assert kinds.count("platform.start") == kinds.count("platform.report") == 60
    assert len(kinds) == 120
