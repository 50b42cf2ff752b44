"""A weighted alias on several processes: shares are one sequence, whichever process a call comes in by."""

import asyncio
from collections import Counter
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import PlatformProcess
from tests.front.conftest import make_function
from tests.front.load import Client

CALLS, CONNECTIONS, SHARE = 10_000, 8, 0.25
SOURCE = "def handler(event, context): return context.function_version"


def request(platform: PlatformProcess, name: str) -> bytes:
    """The bytes of one signed Invoke of the alias."""
    path = f"/2015-03-31/functions/{name}/invocations?Qualifier=live"
    made = AWSRequest("POST", f"{platform.url}{path}", data=b"{}", headers={"host": platform.url[7:]})
    key = Credentials(platform.access_key_id, platform.secret_access_key)
    SigV4Auth(key, "lambda", platform.region).add_auth(made)
    headers = "".join(f"{header}: {value}\r\n" for header, value in made.headers.items())
    return f"POST {path} HTTP/1.1\r\n{headers}content-length: 2\r\n\r\n{{}}".encode()


async def versions(platform: PlatformProcess, sent: bytes, calls: int) -> Counter[str]:
    """Which version answered how many of so many calls on one connection."""
    client = Client(platform.url)
    found: Counter[str] = Counter()
    for _ in range(calls):
        status, headers, body = await client.ask(sent)
        version = headers["x-amz-executed-version"]
        assert (status, body) == (200, f'"{version}"'.encode())
        found[version] += 1
    client.close()
    return found


async def test_ten_thousand_calls_over_several_processes_are_shared_by_weight(crowd: PlatformProcess) -> None:
    functions: Any = crowd.client("lambda")
    name = make_function(crowd, "canary", SOURCE, Publish=True)
    functions.update_function_configuration(FunctionName=name, Description="another")
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    functions.publish_version(FunctionName=name)
    weights = {"AdditionalVersionWeights": {"2": SHARE}}
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    for qualifier in ("1", "2"):
        functions.invoke(FunctionName=name, Qualifier=qualifier)
    sent = request(crowd, name)
    parts = await asyncio.gather(*(versions(crowd, sent, CALLS // CONNECTIONS) for _ in range(CONNECTIONS)))
    counts = sum(parts, Counter[str]())
    assert counts.total() == CALLS
    # Drawn by lot, three standard deviations would be 130 calls; dealt out, it is a few.
    assert abs(counts["2"] - CALLS * SHARE) < 20
