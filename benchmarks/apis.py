"""HTTP APIs: what a route in front of a function costs, beside the function's own URL.

One function, reached by its URL and through routes that do more and more: plain, in format 1.0, among 300 routes with
variables, with CORS, limits and access logs. All are loaded in turn, so that a machine's moods meet all.
"""

from typing import Any

from benchmarks import load
from benchmarks.platform import Running, make_function
from benchmarks.report import Report, Row

HELLO = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello"}\n'
BODY = b"hello"
ROUTES = 299
ROUNDS = 5
SECONDS = 1.0
PEER = "function URL"


def apis(platform: Running, report: Report) -> None:
    """Requests to HTTP APIs beside requests to the function URL."""
    client = platform.client("lambda")
    name = make_function(platform, "bench-apis", HELLO, memory_mb=1769)
    grant = {"FunctionName": name, "Principal": "*"}
    client.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    client.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    client.add_permission(
        FunctionName=name,
        StatementId="a",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    url = client.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
    subjects = {PEER: _subject(platform, url)}
    subjects |= {what: _subject(platform, address) for what, address in _addresses(platform, arn).items()}
    single = load.rounds(subjects, 1, ROUNDS, SECONDS)
    many = load.rounds(subjects, 16, ROUNDS, SECONDS)
    for what in subjects:
        at_1, at_16 = single[what], many[what]
        if at_1.errors or at_16.errors:
            raise RuntimeError(f"{what}: {at_1.errors + at_16.errors} replies were errors")
        peer = PEER if what != PEER else None
        report.add(
            _row(f"{what}: latency at 1, median", at_1.p50_ms, "ms", single[PEER].p50_ms, peer),
            _row(f"{what}: throughput at 16", at_16.per_second, "/s", many[PEER].per_second, peer),
            _row(f"{what}: processor time of the server, at 16", at_16.cpu_us, "µs", many[PEER].cpu_us, peer),
        )
        if peer is not None:
            report.add(Row(f"{what}: latency added at 1, median", at_1.p50_ms - single[PEER].p50_ms, "ms"))


def _row(what: str, value: float, unit: str, floor: float, peer: str | None) -> Row:
    return Row(what, value, unit) if peer is None else Row(what, value, unit, floor, peer)


def _subject(platform: Running, address: str) -> load.Subject:
    return load.Subject(platform.port, platform.pid, platform.url_request(address), BODY)


def _addresses(platform: Running, arn: str) -> dict[str, str]:
    """Of APIs in front of the function, by what they do."""
    client = platform.client("apigatewayv2")
    plain = _api(client, arn, ["GET /hello"])
    former = _api(client, arn, ["GET /hello"], version="1.0")
    several = _api(client, arn, [f"GET /things{number}/{{id}}/parts/{{part}}" for number in range(ROUTES)])
    busy = _api(
        client,
        arn,
        ["GET /hello"],
        CorsConfiguration={"AllowOrigins": ["https://example.com"], "AllowMethods": ["GET"]},
    )
    client.update_stage(
        ApiId=busy.rpartition("/")[2],
        StageName="$default",
        DefaultRouteSettings={"ThrottlingRateLimit": 1e6, "ThrottlingBurstLimit": 1_000_000},
        AccessLogSettings={
            "DestinationArn": f"{arn.partition(':lambda:')[0]}:logs:us-east-1:000000000000:log-group:bench-apis",
            "Format": "$context.requestId $context.status $context.routeKey $context.integrationLatency",
        },
    )
    return {
        "HTTP API": f"{plain}/hello",
        "HTTP API, format 1.0": f"{former}/hello",
        f"HTTP API of {ROUTES} routes": f"{several}/things{ROUTES // 2}/1/parts/2",
        "HTTP API with CORS, limits, access log": f"{busy}/hello",
    }


def _api(client: Any, arn: str, keys: list[str], version: str = "2.0", **more: Any) -> str:
    """The address of an API with routes to the function."""
    api = client.create_api(Name="bench", ProtocolType="HTTP", **more)
    named = {"ApiId": api["ApiId"]}
    integration = client.create_integration(
        **named, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion=version
    )
    for key in keys:
        client.create_route(**named, RouteKey=key, Target=f"integrations/{integration['IntegrationId']}")
    client.create_stage(**named, StageName="$default", AutoDeploy=True)
    return str(api["ApiEndpoint"])
