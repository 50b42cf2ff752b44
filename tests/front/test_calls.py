"""Calls over two fronts: they answer as one server does, within its limits, and know every change at once."""

import asyncio
import base64
import contextlib
import http.client
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from mayfly.services.functions import recursion
from tests.conftest import PlatformProcess
from tests.front import load
from tests.front.conftest import fronts, log_of, make_function, signed, usage_of, workers, zipped
from tests.services.functions.test_web_over_the_wire import SERVER, START, package
from tests.services.functions.web.test_urls import OPEN

HELLO = "def handler(event, context):\n    print('hello')\n    return event\n"
SPAN = """
import time

def handler(event, context):
    began = time.monotonic_ns()
    time.sleep(event.get("s", 0))
    return [began, time.monotonic_ns()]
"""


def invoke(platform: PlatformProcess, name: str, event: Any = None, **options: Any) -> Any:
    reply = platform.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **options)
    return json.loads(reply["Payload"].read())


async def test_both_fronts_run_calls_and_every_one_is_logged_once(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "hello", HELLO)

    answers = await load.crowd(crowd.url, signed(crowd, name, b'{"a": 1}'), clients=24, calls=200)

    assert answers.bodies == [{"a": 1}] * len(answers.bodies)
    assert (answers.others, answers.broken) == ([], 0)
    journals = [path for path in (crowd.data / "journals").iterdir() if path.stat().st_size]
    assert {path.name.split("-")[1] for path in journals if "front" in path.name} == {"front1", "front2"}
    log = log_of(crowd, name)
    ends = Counter(re.findall(r"END RequestId: (\S+)", "".join(log)))
    assert {request: ends[request] for request in answers.ids} == dict.fromkeys(answers.ids, 1)
    assert log.count("hello\n") == len(answers.ids)


async def test_the_lines_of_each_instance_stay_in_their_order(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "ordered", HELLO)
    await load.crowd(crowd.url, signed(crowd, name), clients=6, calls=150)

    logs = crowd.client("logs")
    for stream in logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]:
        events, token = [], None
        while True:
            more: dict[str, str] = {"nextToken": token} if token else {}
            page = logs.get_log_events(
                logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"], startFromHead=True, **more
            )
            events += page["events"]
            if page["nextForwardToken"] == token:
                break
            token = page["nextForwardToken"]
        words = [event["message"].split()[0] for event in events]
        assert words[0] == "INIT_START"
        assert words[1:] == ["START", "hello", "END", "REPORT"] * ((len(words) - 1) // 4)


@pytest.mark.parametrize("limit", [1, 3])
async def test_no_more_calls_run_at_a_time_than_a_function_may(crowd: PlatformProcess, limit: int) -> None:
    name = make_function(crowd, f"limited-{limit}", SPAN)
    crowd.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=limit)

    answers = await load.crowd(crowd.url, signed(crowd, name, b'{"s": 0.002}'), clients=32, calls=150)

    assert load.most_at_once(answers.bodies) == limit
    assert answers.refused > 0
    assert (answers.others, answers.broken) == ([], 0)


async def test_no_call_is_refused_while_a_leased_instance_idles(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "alone", SPAN)
    crowd.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    clients, request = [load.Client(crowd.url) for _ in range(6)], signed(crowd, name)

    statuses = []
    for _ in range(20):
        for client in clients:  # on whichever front each of them is, the instance was leased to another a moment ago
            status, _, _ = await client.ask(request)
            statuses.append(status)

    assert Counter(statuses) == {200: 120}
    for client in clients:
        client.close()


async def test_after_an_update_is_acknowledged_only_new_code_answers(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "updated", "def handler(event, context):\n    return 0\n")
    functions, request = crowd.client("lambda"), signed(crowd, name)
    acknowledged, stop, wrong = 0, False, []

    async def call() -> None:
        client = load.Client(crowd.url)
        while not stop:
            least = acknowledged
            status, _, body = await client.ask(request)
            if status != 200 or int(body) < least:
                wrong.append((least, status, body))
        client.close()

    callers = [asyncio.create_task(call()) for _ in range(8)]
    for version in range(1, 8):
        code = zipped(f"def handler(event, context):\n    return {version}\n")
        await asyncio.to_thread(functions.update_function_code, FunctionName=name, ZipFile=code)
        acknowledged = version
        await asyncio.sleep(0.05)
    stop = True
    await asyncio.gather(*callers)

    assert wrong == []


async def test_a_deleted_function_is_gone_when_that_is_acknowledged(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "deleted", HELLO)
    clients, request = [load.Client(crowd.url) for _ in range(6)], signed(crowd, name)
    for client in clients:
        assert (await client.ask(request))[0] == 200

    crowd.client("lambda").delete_function(FunctionName=name)

    assert {(await client.ask(request))[0] for client in clients} == {404}
    for client in clients:
        client.close()


async def test_who_may_call_a_url_changes_when_that_is_acknowledged(crowd: PlatformProcess) -> None:
    name, functions = make_function(crowd, "open", HELLO), crowd.client("lambda")
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    request = f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nhost: {crowd.url[7:]}\r\n\r\n".encode()
    clients = [load.Client(crowd.url) for _ in range(6)]

    async def statuses() -> set[int]:
        return {(await client.ask(request))[0] for client in clients}

    assert await statuses() == {403}
    grant = {"FunctionName": name, "Principal": "*"}
    functions.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    functions.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    assert await statuses() == {200}
    assert await statuses() == {200}
    functions.update_function_url_config(FunctionName=name, AuthType="AWS_IAM")
    assert await statuses() == {403}
    functions.update_function_url_config(FunctionName=name, AuthType="NONE")
    assert await statuses() == {200}
    functions.delete_function_url_config(FunctionName=name)
    assert await statuses() == {403}
    for client in clients:
        client.close()


async def test_a_deleted_roles_session_can_call_nothing_more(crowd: PlatformProcess) -> None:
    name, iam = make_function(crowd, "guarded", HELLO), crowd.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": crowd.account}, "Action": "sts:AssumeRole"}],
    }
    role = iam.create_role(RoleName="caller", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    keys = crowd.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session: Any = boto3.session.Session()
    caller = session.client(
        "lambda",
        endpoint_url=crowd.url,
        region_name=crowd.region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    for _ in range(5):
        caller.invoke(FunctionName=name)

    iam.delete_role(RoleName="caller")

    with pytest.raises(ClientError, match="security token included in the request is invalid"):
        caller.invoke(FunctionName=name)


FAILING = """
import os, sys, time

def handler(event, context):
    match event:
        case "raise": raise ValueError("no")
        case "exit": os._exit(3)
        case "sleep": time.sleep(60)
        case "large": return "x" * 7_000_000
        case "kill": os.kill(os.getpid(), 9)
        case "nan": return object()
    return event
"""


def test_calls_fail_as_they_do_without_fronts(crowd: PlatformProcess, platform: PlatformProcess) -> None:
    """The same calls on a server with fronts and on one without; ids and traces aside, the same replies."""
    seen: list[list[Any]] = []
    for one in (crowd, platform):
        name, functions = make_function(one, "failing", FAILING, Timeout=1), one.client("lambda")
        replies: list[Any] = []
        for event in ("fine", "raise", "fine", "exit", "fine", "kill", "fine", "sleep", "fine", "large", "nan", "fine"):
            reply = functions.invoke(FunctionName=name, Payload=json.dumps(event))
            body = json.loads(reply["Payload"].read())
            if isinstance(body, dict):
                body.pop("requestId", None)
                body = json.loads(re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", json.dumps(body)))
            replies.append((event, reply["StatusCode"], reply.get("FunctionError"), body))
        seen.append(replies)

    assert seen[0] == seen[1]


def test_the_tail_of_the_log_and_the_client_context_come_through(crowd: PlatformProcess) -> None:
    name = make_function(
        crowd, "context", "def handler(event, context):\n    print('x')\n    return context.client_context.custom\n"
    )
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    for _ in range(3):
        reply = crowd.client("lambda").invoke(FunctionName=name, ClientContext=context, LogType="Tail")
        assert json.loads(reply["Payload"].read()) == {"a": "b"}
        assert "START RequestId" in base64.b64decode(reply["LogResult"]).decode()


def test_usage_and_counters_hold_every_call(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "counted", HELLO)
    asyncio.run(load.crowd(crowd.url, signed(crowd, name), clients=4, calls=50))
    # The log shows what ran: the calls that were still under way at the fiftieth answer too.
    calls = "".join(log_of(crowd, name)).count("REPORT RequestId")

    assert usage_of(crowd, name) == calls


async def test_a_connection_moves_between_fronts_and_the_core_as_its_requests_do(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "moving", "def handler(event, context):\n    return event['requestContext']['http']\n")
    functions, s3 = crowd.client("lambda"), crowd.client("s3")
    grant = {"FunctionName": name, "Principal": "*"}
    functions.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    functions.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    s3.create_bucket(Bucket="moving")
    large = bytes(range(256)) * 40_000
    s3.put_object(Bucket="moving", Key="k", Body=large)
    got = s3.generate_presigned_url("get_object", Params={"Bucket": "moving", "Key": "k"})
    host = f"host: {crowd.url[7:]}\r\n\r\n"
    call = f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\n{host}".encode()
    read = f"GET /{got.split('/', 3)[3]} HTTP/1.1\r\n{host}".encode()
    client = load.Client(crowd.url)

    for _ in range(10):
        status, _, body = await client.ask(call)
        assert (status, json.loads(body)["sourceIp"]) == (200, "127.0.0.1")
        status, _, body = await client.ask(read)
        assert (status, body == large) == (200, True)
    # What is sent ahead is answered in its order, by whoever may.
    mine = client.socket.getsockname()
    for order in ((call, read, call), (read, call, read)):
        replies = [await client.ask(b"".join(order)), await client.ask(b""), await client.ask(b"")]
        assert [status for status, _, _ in replies] == [200, 200, 200]
        assert [body == large for _, _, body in replies] == [request is read for request in order]
    assert client.socket.getsockname() == mine
    client.close()


def test_provisioned_instances_serve_calls_of_fronts(crowd: PlatformProcess) -> None:
    name, functions = make_function(crowd, "provisioned", SPAN), crowd.client("lambda")
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.put_provisioned_concurrency_config(
        FunctionName=name, Qualifier=version, ProvisionedConcurrentExecutions=1
    )
    while True:
        state = functions.get_provisioned_concurrency_config(FunctionName=name, Qualifier=version)
        if state["Status"] == "READY":
            break
    for _ in range(20):
        invoke(crowd, name, {}, Qualifier=version)

    log = log_of(crowd, name)
    assert [line.split()[0] for line in log if "Init Duration" in line] == ["INIT_REPORT"]


def test_malformed_and_unauthorized_requests_are_refused_as_they_are_without_fronts(
    crowd: PlatformProcess, platform: PlatformProcess
) -> None:
    seen = []
    for one in (crowd, platform):
        name = make_function(one, "guards", HELLO)
        good, host = signed(one, name), one.url[7:]
        requests = [
            good.replace(b"Signature=", b"Signature=00"),
            good.replace(one.access_key_id.encode(), b"AKIAIOSFODNN7EXAMPLE"),
            good.replace(b"content-length: 2", b"content-length: 3") + b"x",
            re.sub(rb"X-Amz-Date: \d{8}", b"X-Amz-Date: 20200101", good),
            signed(one, "no-such-function"),
            signed(one, name, b"{not json"),
            signed(one, name, b'"' + b"x" * 6_300_000 + b'"'),
            good.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n"),
            good.replace(b"content-length: 2", b"content-length: 2\r\ncontent-length: 2"),
            good.replace(b"\r\n\r\n", b"\r\nX Y: z\r\n\r\n"),
            good.replace(b"HTTP/1.1", b"HTTP/1.0"),
            f"GET /_mayfly/url/nobody/ HTTP/1.1\r\nhost: {host}\r\n\r\n".encode(),
            f"G\0T /_mayfly/url/nobody/ HTTP/1.1\r\nhost: {host}\r\n\r\n".encode(),
        ]
        seen.append([asyncio.run(refused(one.url, request)) for request in requests])

    assert seen[0] == seen[1]
    assert {status for status, _, _ in seen[0]} >= {200, 400, 403, 404, 413, 431}


async def refused(url: str, request: bytes) -> tuple[int, str, bytes]:
    """Status, kind and words of a reply, without what differs from one reply to the next."""
    client = load.Client(url)
    status, headers, body = await client.ask(request)
    client.close()
    words = re.sub(rb"[0-9a-f]{64}|\d{8}T\d{6}Z|[0-9a-f]{8}-[0-9a-f-]{27}|127.0.0.1:\d+", b"", body)
    return status, headers.get("x-amzn-errortype", ""), words


ECHO = """
import base64

def handler(event, context):
    if isinstance(event, dict) and "body" in event:
        body = event["body"]
        return str(len(base64.b64decode(body) if event["isBase64Encoded"] else body))
    return event
"""


async def test_large_payloads_and_bodies_that_come_in_pieces_are_answered(crowd: PlatformProcess) -> None:
    name, functions = make_function(crowd, "echo", ECHO, MemorySize=512), crowd.client("lambda")
    large = json.dumps("x" * 6_000_000).encode()
    grant = {"FunctionName": name, "Principal": "*"}
    functions.add_permission(**grant, StatementId="u", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    functions.add_permission(**grant, StatementId="i", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True)
    path = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"].split("/", 3)[3]
    client, request = load.Client(crowd.url), signed(crowd, name, large)

    for _ in range(3):
        status, _, body = await client.ask(request)
        assert (status, body == large) == (200, True)
    for begin in (f"POST /{path} HTTP/1.1\r\nhost: {crowd.url[7:]}\r\n",):
        chunked = b"".join(b"%x\r\n%s\r\n" % (50_000, b"y" * 50_000) for _ in range(20)) + b"0\r\n\r\n"
        status, _, body = await client.ask(f"{begin}transfer-encoding: chunked\r\n\r\n".encode() + chunked)
        assert (status, body) == (200, b"1000000")
        status, _, body = await client.ask(f"{begin}content-length: 300000\r\n\r\n".encode() + b"z" * 300_000)
        assert (status, body) == (200, b"300000")
    client.close()


async def test_events_are_accepted_by_whichever_process_a_connection_is_at_and_run_once(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "evented", "def handler(event, context):\n    print('event', event)\n")
    synchronous = signed(crowd, name, b"0")
    clients = [load.Client(crowd.url) for _ in range(6)]
    wanted = set()
    for number, client in enumerate(clients, start=1):
        assert (await client.ask(synchronous))[0] == 200
        event = signed(crowd, name, b"%d" % number).replace(b"\r\n\r\n", b"\r\nX-Amz-Invocation-Type: Event\r\n\r\n")
        assert (await client.ask(event))[0] == 202
        wanted.add(f"event {number}\n")
        client.close()

    async with asyncio.timeout(60):
        while not wanted <= set(await asyncio.to_thread(log_of, crowd, name)):
            pass
    assert max(Counter(log_of(crowd, name))[line] for line in wanted) == 1


def test_the_status_shows_the_fronts(crowd: PlatformProcess) -> None:
    shown = workers(crowd)

    assert [(worker["name"], worker["ready"], worker["starts"]) for worker in shown] == [
        ("front1", True, 1),
        ("front2", True, 1),
    ]
    assert sorted(worker["pid"] for worker in shown) == fronts(crowd)


async def test_calls_that_wait_behind_one_that_ends_its_instance_run_elsewhere(crowd: PlatformProcess) -> None:
    source = "import os\ndef handler(event, context):\n    return os._exit(5) if event.get('exit') else event\n"
    name = make_function(crowd, "behind", source)
    enough = asyncio.Event()
    quick, fatal = signed(crowd, name, b'{"a": 1}'), signed(crowd, name, b'{"exit": true}')
    answers, ended = load.Answers(), load.Answers()

    async def end_some() -> None:
        while not enough.is_set():
            before = len(answers.bodies)
            async with asyncio.timeout(60):
                while len(answers.bodies) < before + 150:  # noqa: ASYNC110 - answers come from another process
                    await asyncio.sleep(0.005)
            await load.call_until(crowd.url, fatal, lambda: len(ended.others) > ended.refused, ended)
            ended.refused = len(ended.others)
            if len(ended.others) >= 5:
                enough.set()

    await asyncio.gather(end_some(), *(load.call_until(crowd.url, quick, enough.is_set, answers) for _ in range(16)))

    assert (answers.others, answers.broken, answers.refused) == ([], 0, 0)
    assert all(b"exit status 5" in body for _, body in ended.others)


def test_an_answer_that_is_streamed_comes_from_the_core_on_the_same_connection(crowd: PlatformProcess) -> None:
    lambda_ = crowd.client("lambda")
    name = make_function(crowd, "streams", HELLO)
    for mode in ("BUFFERED", "RESPONSE_STREAM"):
        web = f"web-{mode.lower().replace('_', '-')}"
        role = lambda_.get_function_configuration(FunctionName=name)["Role"]
        lambda_.create_function(
            FunctionName=web,
            Runtime="python3.11",
            Handler="run.sh",
            Role=role,
            Code={"ZipFile": package({"app.py": SERVER, "run.sh": START})},
            Environment={"Variables": {"MAYFLY_WEB": "on"}},
            Timeout=20,
        )
        lambda_.get_waiter("function_active_v2").wait(FunctionName=web)
        for permission in OPEN:
            lambda_.add_permission(FunctionName=web, **permission)
        url = lambda_.create_function_url_config(FunctionName=web, AuthType="NONE", InvokeMode=mode)["FunctionUrl"]
        parts = urlsplit(url)
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=60)) as connection:
            for _ in range(3):
                connection.request("POST", f"{parts.path}echo/", b"x" * 300_000)
                with connection.getresponse() as reply:
                    assert reply.status == 200
                    assert (reply.headers["transfer-encoding"] == "chunked") is (mode == "RESPONSE_STREAM")
                    assert len(json.loads(reply.read())["body"]) == 600_000


async def test_fronts_run_calls_of_a_tenant_on_the_instances_of_that_tenant(crowd: PlatformProcess) -> None:
    source = (
        "import uuid\ninstance, served = uuid.uuid4().hex, set()\n"
        "def handler(event, context):\n    served.add(context.tenant_id)\n    return [instance, sorted(served)]\n"
    )
    name = make_function(crowd, "of-tenants", source, TenancyConfig={"TenantIsolationMode": "PER_TENANT"})
    with pytest.raises(ClientError, match="Add a valid tenant ID"):
        invoke(crowd, name)

    def several(number: int) -> list[Any]:
        functions = crowd.client("lambda")
        tenant = f"t{number % 4}"
        answers = [functions.invoke(FunctionName=name, TenantId=tenant, Payload=b"{}") for _ in range(25)]
        return [(tenant, *json.loads(answer["Payload"].read())) for answer in answers]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for found in pool.map(several, range(8)) for answer in found]

    assert all(served == [tenant] for tenant, _, served in answers)
    owners: dict[str, set[str]] = {}
    for tenant, instance, _ in answers:
        owners.setdefault(instance, set()).add(tenant)
    assert all(len(found) == 1 for found in owners.values())


async def test_a_loop_is_refused_by_whichever_process_answers(crowd: PlatformProcess) -> None:
    name = make_function(crowd, "looping", HELLO)
    arn = crowd.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"
    for turn in range(recursion.MOST + 1):
        client = crowd.client("lambda")
        client.meta.events.register(
            "before-call", lambda params, header=header, **_: params["headers"].update({"X-Amzn-Trace-Id": header})
        )
        if turn < recursion.MOST:
            assert client.invoke(FunctionName=name, Payload=b"{}")["StatusCode"] == 200
            header = recursion.entered(header, arn)
            continue
        for _ in range(8):  # connections go to both of them
            with pytest.raises(ClientError, match="recursive loop"):
                client.invoke(FunctionName=name, Payload=b"{}")
