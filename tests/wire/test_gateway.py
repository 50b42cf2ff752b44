"""The gateway as a whole: what handlers get, what clients get, and what happens when something is wrong."""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from mayfly.services.contract import HttpRequest, HttpResponse, ServiceError, StreamBody
from mayfly.settings import HttpSettings, Settings
from mayfly.wire.operations import MAX_PASSING

from .platform import ACCESS_KEY, MODELS, Recorder, client, gateway, http_request, read_body, run

SMALL = Settings(data=Path("unused"), http=HttpSettings(body_bytes=1000))


def failure(call: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    found: dict[str, Any] = response
    return found


def test_a_handler_gets_the_input_and_the_context_and_its_reply_comes_back() -> None:
    service = Recorder("lambda", {"Invoke": {"StatusCode": 200, "Payload": b"[1]", "ExecutedVersion": "7"}})
    made = client(gateway(service), "lambda")
    reply = made.invoke(FunctionName="function", Payload=b"{}", ClientContext="e30=", Qualifier="7")
    assert (reply["StatusCode"], reply["ExecutedVersion"], reply["Payload"].read()) == (200, "7", b"[1]")
    name, params = service.calls[0]
    assert name == "Invoke"
    assert params == {"FunctionName": "function", "Payload": b"{}", "ClientContext": "e30=", "Qualifier": "7"}
    context = service.contexts[0]
    assert (context.account, context.region, context.endpoint) == ("000000000000", "us-east-1", "http://127.0.0.1:4566")
    assert context.request_id == reply["ResponseMetadata"]["RequestId"]
    assert context.user_agent.startswith("Boto3/")


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("lambda", lambda made: made.list_functions()),
        ("dynamodb", lambda made: made.list_tables()),
        ("sqs", lambda made: made.list_queues()),
        ("iam", lambda made: made.list_users()),
        ("s3", lambda made: made.list_buckets()),
        ("route53", lambda made: made.list_hosted_zones()),
        ("ec2", lambda made: made.describe_vpcs()),
        ("cloudwatch", lambda made: made.list_metrics()),
        ("arc-region-switch", lambda made: made.list_plans()),
        ("apigatewayv2", lambda made: made.get_apis()),
        ("apigateway", lambda made: made.get_rest_apis()),
    ],
)
def test_any_operation_of_any_service_that_is_missing_says_so(service: str, call: Any) -> None:
    error = failure(lambda: call(client(gateway(Recorder("lambda"), Recorder("s3")), service)))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert error["Error"]["Code"] == "NotImplemented"
    assert f"of {service};" in error["Error"]["Message"]


def test_a_bug_in_a_handler_is_an_internal_failure_with_nothing_of_it_on_the_wire(
    caplog: pytest.LogCaptureFixture,
) -> None:
    services = [
        Recorder("lambda", {"ListFunctions": RuntimeError("a secret")}),
        Recorder("s3", {"ListBuckets": RuntimeError("a secret")}),
        Recorder("sts", {"GetCallerIdentity": {"NoSuchMember": "a secret"}}),
    ]
    door = gateway(*services)
    with caplog.at_level(logging.ERROR):
        errors = [
            failure(client(door, "lambda").list_functions),
            failure(client(door, "s3").list_buckets),
            failure(client(door, "sts").get_caller_identity),
        ]
    codes = [error["Error"]["Code"] for error in errors]
    assert codes == ["ServiceException", "InternalError", "InternalFailure"]
    for error in errors:
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 500
        assert "secret" not in str(error)
        assert error["ResponseMetadata"]["RequestId"] in caplog.text


def test_errors_carry_their_members_status_and_headers() -> None:
    throttled = ServiceError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        members={"Reason": "CallerRateLimitExceeded", "retryAfterSeconds": "1"},
    )
    error = failure(
        lambda: client(gateway(Recorder("lambda", {"Invoke": throttled})), "lambda").invoke(FunctionName="f")
    )
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert error["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    assert (error["Reason"], error["Error"]["Message"]) == ("CallerRateLimitExceeded", "Rate Exceeded.")


def test_errors_of_query_days_keep_their_old_code_in_a_header() -> None:
    missing = ServiceError("QueueDoesNotExist", "The specified queue does not exist.")
    made = client(gateway(Recorder("sqs", {"GetQueueUrl": missing})), "sqs")
    error = failure(lambda: made.get_queue_url(QueueName="none"))
    assert error["Error"]["Type"] == "Sender"
    said = error["ResponseMetadata"]["HTTPHeaders"]["x-amzn-query-error"]
    assert said == "AWS.SimpleQueueService.NonExistentQueue;Sender"


def test_errors_of_s3_name_the_resource_and_both_ids() -> None:
    missing = ServiceError("NoSuchKey", "The specified key does not exist.", members={"Key": "a&b"})
    made = client(gateway(Recorder("s3", {"GetObject": missing})), "s3")
    error = failure(lambda: made.get_object(Bucket="bucket", Key="a&b"))
    assert error["Error"] == {"Code": "NoSuchKey", "Message": "The specified key does not exist.", "Key": "a&b"}
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert error["ResponseMetadata"]["HostId"]


def test_a_head_request_never_gets_a_body() -> None:
    bodies: list[Any] = []
    missing = ServiceError("NoSuchKey", "The specified key does not exist.")
    made = client(
        gateway(Recorder("s3", {"HeadObject": missing})), "s3", seen=lambda _, response: bodies.append(response.body)
    )
    assert failure(lambda: made.head_object(Bucket="bucket", Key="key"))["Error"]["Code"] == "404"
    assert bodies == [b""]


def test_streams_pass_through_in_both_directions() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first "
        yield b"second"

    reply = {"Body": StreamBody(chunks(), 12), "ContentLength": 12, "LastModified": datetime(2026, 1, 31, tzinfo=UTC)}
    service = Recorder("s3", {"GetObject": reply, "PutObject": {}})
    made = client(gateway(service), "s3")
    assert made.get_object(Bucket="bucket", Key="key")["Body"].read() == b"first second"
    made.put_object(Bucket="bucket", Key="key", Body=b"data")
    assert service.calls[1][1]["Body"] == b"data"


def test_an_idempotency_token_is_made_up_when_absent() -> None:
    service = Recorder("dynamodb", {"TransactWriteItems": {}})
    made = client(gateway(service), "dynamodb")
    made.meta.events.unregister("provide-client-params.*.*")
    made.transact_write_items(TransactItems=[{"Delete": {"TableName": "table", "Key": {"k": {"S": "v"}}}}])
    assert len(service.calls[0][1]["ClientRequestToken"]) == 36


def test_a_body_beyond_the_limit_is_refused_unless_the_operation_streams() -> None:
    service = Recorder("dynamodb", {"ListTables": {}})
    made = client(gateway(service, settings=SMALL), "dynamodb")
    error = failure(lambda: made.list_tables(ExclusiveStartTableName="x" * 2000))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413
    store = Recorder("s3", {"PutObject": {}})
    client(gateway(store, settings=SMALL), "s3").put_object(Bucket="bucket", Key="key", Body=b"x" * 2000)
    assert len(store.calls[0][1]["Body"]) == 2000


def test_a_compressed_body_is_unpacked_within_the_limit() -> None:
    def compress(request: Any) -> None:
        request.headers["Content-Encoding"] = "gzip"
        request.data = gzip.compress(request.body)

    def made(service: Recorder, settings: Settings | None = None) -> Any:
        found = client(gateway(service, settings=settings), "dynamodb")
        found.meta.events.register_first("before-sign.dynamodb.*", lambda request, **_: compress(request))
        return found

    service = Recorder("dynamodb", {"ListTables": {}})
    made(service).list_tables(Limit=7)
    assert service.calls == [("ListTables", {"Limit": 7})]
    error = failure(lambda: made(service, SMALL).list_tables(ExclusiveStartTableName="x" * 5000))
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 413


@pytest.mark.parametrize(
    ("size", "expects", "closes"), [(100_000, False, False), (1_000_000, False, True), (100_000, True, True)]
)
def test_a_body_that_nobody_read_is_drained_or_ends_the_connection(size: int, expects: bool, closes: bool) -> None:
    def tamper(request: Any) -> None:
        if not expects:
            del request.headers["Expect"]

    refused = ServiceError("NoSuchBucket", "The specified bucket does not exist")

    class Deaf:
        name = "s3"

        async def put(self, *_: Any) -> Any:
            raise refused

        @property
        def operations(self) -> Any:
            return {"PutObject": self.put}

    responses: list[HttpResponse] = []
    door = gateway(Deaf())  # type: ignore[arg-type]  # is a service, if no recorder
    made = client(door, "s3", seen=lambda _, response: responses.append(response), tamper=tamper)
    failure(lambda: made.put_object(Bucket="bucket", Key="key", Body=b"x" * size))
    assert responses[0].close is closes


def ask(request: HttpRequest, *services: Recorder) -> tuple[int, str]:
    async def exchange() -> HttpResponse:
        response = await gateway(*services).handle(request)
        return replace(response, body=await read_body(response))

    response = run(exchange())
    assert isinstance(response.body, bytes)
    return response.status, response.body.decode()


def test_requests_that_name_nothing_known_are_refused_precisely() -> None:
    url = "http://127.0.0.1:4566/"
    lam = Recorder("lambda")
    scope = f"{ACCESS_KEY}/20260101/us-east-1/nosuch/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x"
    dated = {"authorization": authorization, "x-amz-date": "20260101T000000Z"}
    assert ask(http_request("GET", url, dated), lam)[0] == 404
    assert ask(http_request("POST", url, {**dated, "x-amz-target": "Nothing.Known"}), lam)[0] == 404
    assert ask(http_request("POST", url, {"x-amz-target": "Nothing.Known"}), lam)[0] == 400
    status, text = ask(http_request("POST", url, {"x-amz-target": "DynamoDB_20120810.NoSuch"}), Recorder("dynamodb"))
    assert (status, "UnknownOperationException" in text) == (400, True)
    status, text = ask(http_request("PATCH", url + "bucket/key"), Recorder("s3"))
    assert (status, "<Code>MethodNotAllowed</Code>" in text) == (405, True)
    status, text = ask(http_request("OPTIONS", url + "bucket/key"), Recorder("s3"))
    assert (status, "CORS is not enabled" in text) == (403, True)
    assert ask(http_request("GET", url + "bucket/%ff"), Recorder("s3"))[0] == 400
    assert ask(http_request("GET", url + "?" + "&".join(["a"] * 10_001)), Recorder("s3"))[0] == 400


def test_a_cancelled_request_is_cancelled_and_nothing_else() -> None:
    started = asyncio.Event()

    async def scenario() -> None:
        class Slow:
            name = "s3"

            async def get(self, *_: Any) -> Any:
                started.set()
                await asyncio.Event().wait()

            @property
            def operations(self) -> Any:
                return {"GetObject": self.get}

        door = gateway(Slow())  # type: ignore[arg-type]  # is a service, if no recorder
        task = asyncio.create_task(door.handle(http_request("GET", "http://127.0.0.1:4566/bucket/key")))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_virtual_hosted_style_requests_are_those_of_path_style() -> None:
    service = Recorder("s3", {"GetObject": {"Body": b"data"}, "ListObjectsV2": {}})
    for url in ("http://s3.localhost:4566", "http://s3.us-east-1.example.com"):
        made = client(gateway(service), "s3", url=url, s3={"addressing_style": "virtual"})
        made.get_object(Bucket="my.bucket-1", Key="a/b c")
        made.list_objects_v2(Bucket="my.bucket-1")
    assert [call[1].get("Key") for call in service.calls] == ["a/b c", None] * 2
    assert {call[1]["Bucket"] for call in service.calls} == {"my.bucket-1"}


def test_every_model_loads_and_its_head_tells_the_truth() -> None:
    for name in ("lambda", "s3", "dynamodb", "sts", "ec2", "cloudwatch"):
        facts, model = MODELS.facts(name), MODELS.service(name)
        assert facts.signing_name == model.signing_name
        assert facts.target_prefix == model.metadata.get("targetPrefix")
    assert len(MODELS.index().by_name) > 300


def test_a_partial_object_has_its_status() -> None:
    replies: list[dict[str, Any]] = [{"Body": b"at", "ContentRange": "bytes 1-2/4"}, {"Body": b"data"}]
    made = client(gateway(Recorder("s3", {"GetObject": lambda _: replies.pop(0)})), "s3")
    statuses = [
        made.get_object(Bucket="bucket", Key="key", Range="bytes=1-2")["ResponseMetadata"]["HTTPStatusCode"]
        for _ in range(2)
    ]
    assert statuses == [206, 200]


def test_no_header_of_a_reply_can_start_another() -> None:
    reply = {"Body": b"", "ContentDisposition": "a\r\nset-cookie: b", "Metadata": {"k\r\ny": "v\nw"}, "ETag": "é日"}
    seen: list[HttpResponse] = []
    made = client(gateway(Recorder("s3", {"GetObject": reply})), "s3", seen=lambda _, response: seen.append(response))
    made.get_object(Bucket="bucket", Key="key")
    headers = dict(seen[0].headers)
    assert headers["Content-Disposition"] == "a  set-cookie: b"
    assert headers["x-amz-meta-k--y"] == "v w"
    assert headers["ETag"].encode("latin-1").decode() == "é日"


def test_a_client_that_goes_away_in_mid_body_is_no_failure_of_the_service(caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        length = 10

        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionResetError

    service = Recorder("s3", {"PutObject": {}})
    request = http_request("PUT", "http://127.0.0.1:4566/bucket/key")
    with pytest.raises(ConnectionResetError):
        run(gateway(service).handle(replace(request, body=Gone())))
    assert caplog.records == []
    assert service.calls == []


def test_models_of_services_without_handlers_are_remembered_only_for_a_while() -> None:
    door = gateway(Recorder("lambda", {"ListFunctions": {}}))
    for name in ("lambda", "sqs"):
        door.catalogue.load(name)
    kept, first = door.catalogue.service("lambda"), door.catalogue.service("sqs")
    assert door.catalogue.service("sqs") is first
    for name in sorted(door.catalogue.models.index().by_name)[:MAX_PASSING]:
        door.catalogue.load(name)
    door.catalogue.load("sqs")
    assert door.catalogue.service("sqs") is not first
    assert door.catalogue.service("lambda") is kept


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"content-md5": "jXd/OF09/siBXSD3SWAm3A=="}, 200, None),
        ({"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, 400, "BadDigest"),
        ({"content-md5": "short"}, 400, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "rfPzYw=="}, 200, None),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, 400, "BadDigest"),
        ({"x-amz-checksum-crc32": "no"}, 400, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "rfPzYw==", "x-amz-checksum-sha1": "x"}, 400, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, 400, "InvalidRequest"),
    ],
)
def test_what_the_headers_say_of_the_body_is_checked(headers: dict[str, str], status: int, code: str | None) -> None:
    service = Recorder("s3", {"PutObject": {}})
    found, text = ask(http_request("PUT", "http://127.0.0.1:4566/bucket/key", headers, b"data"), service)
    assert found == status, text
    assert code is None or f"<Code>{code}</Code>" in text
    assert len(service.calls) == (code is None)


def test_operations_that_demand_a_checksum_get_one() -> None:
    request = http_request("POST", "http://127.0.0.1:4566/bucket?delete", {}, b"<Delete/>")
    status, text = ask(request, Recorder("s3", {"DeleteObjects": {}}))
    assert (status, "Content-MD5 OR x-amz-checksum-*" in text) == (400, True)


def test_what_has_not_changed_is_named_without_a_body() -> None:
    unchanged = ServiceError("NotModified", "Not Modified", status=304, headers={"etag": '"tag"'})
    seen: list[HttpResponse] = []
    made = client(
        gateway(Recorder("s3", {"GetObject": unchanged})), "s3", seen=lambda _, response: seen.append(response)
    )
    failure(lambda: made.get_object(Bucket="bucket", Key="key", IfNoneMatch='"tag"'))
    assert (seen[0].status, seen[0].body, dict(seen[0].headers)["etag"]) == (304, b"", '"tag"')


def test_an_error_that_cannot_be_written_is_an_internal_failure(caplog: pytest.LogCaptureFixture) -> None:
    strange = ServiceError("ResourceNotFoundException", "text", members={"Odd": object()})
    error = failure(client(gateway(Recorder("lambda", {"ListFunctions": strange})), "lambda").list_functions)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert "lambda:ListFunctions" in caplog.text


def test_a_refused_signature_over_odd_bytes_is_still_a_refusal() -> None:
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{{date}}/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a, Signature=x",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        "x-amz-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-meta-a": "\xff",
    }
    headers["authorization"] = headers["authorization"].format(date=headers["x-amz-date"][:8])
    status, text = ask(http_request("GET", "http://127.0.0.1:4566/bucket/key", headers), Recorder("s3"))
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)
