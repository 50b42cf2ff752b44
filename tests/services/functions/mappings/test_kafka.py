"""Topics of Kafka: the contract of drivers, records to the letter, consumer groups, and a real broker where there is
one: `MAYFLY_TEST_KAFKA` names its servers."""

import importlib
import json
import os
import uuid
from typing import Any

import msgspec
import pytest

from mayfly.clock import ManualClock, SystemClock
from mayfly.services.functions.mappings import filters
from mayfly.services.functions.mappings.drivers import Driver
from mayfly.services.functions.mappings.kafka_client import BrokerClient, Client, Login
from mayfly.services.functions.mappings.kafka_source import KafkaShape, KafkaSource
from mayfly.services.functions.mappings.metering import NoMeter
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.stream_driver import StreamDriver
from mayfly.store.sqlite import SqliteStore
from tests.conftest import OpenStore
from tests.services.functions.conftest import OpenStage
from tests.services.functions.mappings.drivers_contract import OK, Harness, OrderContract, drained, polled, text_of
from tests.services.functions.mappings.kafka_cluster import Topic, TopicClient
from tests.services.functions.mappings.staging import MappingStage
from tests.services.functions.mappings.test_drivers import NoDiscards
from tests.services.functions.stage import ACCOUNT, ARN, REGION

SERVERS = "one:9092,two:9092"
BROKERS = os.environ.get("MAYFLY_TEST_KAFKA", "")


class KafkaHarness:
    def __init__(self, store: SqliteStore, clock: ManualClock, partitions: int) -> None:
        self._store = store
        self._clock = clock
        self.topic = Topic(clock, partitions)
        self._mapping = Mapping(
            "u",
            "kafka",
            SERVERS,
            f"{ARN}f",
            0.0,
            "Enabled",
            position="TRIM_HORIZON",
            topics=("t",),
            consumer_group="g",
            window_s=0,
        )

    def driver(self, **settings: Any) -> Driver:
        if "filters" in settings:
            settings["filters"] = settings["filters"][2:]
        return self._driver(msgspec.structs.replace(self._mapping, **settings), TopicClient(self.topic, "g"))

    def absent(self) -> Driver:
        return self._driver(self._mapping, TopicClient(None, "g"))

    def _driver(self, mapping: Mapping, client: Client) -> Driver:
        source, shape = KafkaSource(client, "t"), KafkaShape("t", SERVERS)
        criteria = filters.compiled(mapping.filters)
        return StreamDriver(mapping, source, shape, self._store, self._clock, criteria, NoMeter(), NoDiscards(), source)

    async def put(self, *records: tuple[str, str]) -> None:
        for key, text in records:
            self.topic.put(key, text.encode())

    def pass_time(self) -> None:
        self._clock.advance(31)


@pytest.fixture
async def kafka(open_store: OpenStore, clock: ManualClock) -> KafkaHarness:
    return KafkaHarness(await open_store("mayfly.services.functions.mappings"), clock, 1)


@pytest.mark.parametrize("partitions", [1, 3])
class TestTopic(OrderContract):
    @pytest.fixture
    async def harness(self, open_store: OpenStore, clock: ManualClock, partitions: int) -> Harness:
        return KafkaHarness(await open_store("mayfly.services.functions.mappings"), clock, partitions)


async def test_an_event_has_the_members_that_aws_gives_it(kafka: KafkaHarness) -> None:
    kafka.topic.put("k", b"hello", [("header", b"\x00\xff")])
    kafka.topic.put("", None)
    driver = kafka.driver()
    await driver.open()
    [batch] = await polled(driver)
    at = int(kafka.topic.clock.now() * 1000)
    usual = {"topic": "t", "partition": 0, "timestamp": at, "timestampType": "CREATE_TIME"}
    assert json.loads(batch.payload) == {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": SERVERS,
        "records": {
            "t-0": [
                {**usual, "offset": 0, "key": "aw==", "value": "aGVsbG8=", "headers": [{"header": [0, 255]}]},
                {**usual, "offset": 1, "value": None, "headers": []},
            ]
        },
    }
    await driver.close()


async def test_the_consumer_group_hears_how_far_a_mapping_is_and_says_where_the_next_begins(
    kafka: KafkaHarness,
) -> None:
    await kafka.put(*(("k", str(number)) for number in range(5)))
    driver = kafka.driver(batch_size=3)
    await driver.open()
    [batch] = await polled(driver)
    await driver.settle(batch, OK)
    await driver.close()
    assert kafka.topic.groups == {"g": {0: 3}}
    other = kafka.driver(uuid="another mapping of the same group")
    await other.open()
    assert [text_of(record) for each in await drained(other, 2) for record in each.records] == ["3", "4"]
    await other.close()


async def test_the_end_of_a_topic_is_a_place_to_begin_at(kafka: KafkaHarness) -> None:
    await kafka.put(("k", "before"))
    driver = kafka.driver(position="LATEST")
    await driver.open()
    await kafka.put(("k", "after"))
    assert [text_of(record) for each in await drained(driver, 1) for record in each.records] == ["after"]
    await driver.close()


async def test_a_function_names_the_offset_that_failed(kafka: KafkaHarness) -> None:
    await kafka.put(("k", "a"), ("k", "b"), ("k", "c"))
    driver = kafka.driver(reports_failures=True)
    await driver.open()
    [batch] = await polled(driver)
    told = {"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 1}}]}
    assert await driver.settle(batch, OK._replace(answer=json.dumps(told).encode())) == 2
    kafka.pass_time()
    assert [text_of(record) for each in await drained(driver, 2) for record in each.records] == ["b", "c"]
    await driver.close()


def _self_managed(**more: Any) -> dict[str, Any]:
    return {
        "FunctionName": "f",
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["one:9092", "two:9092"]}},
        "SourceAccessConfigurations": [],
        "Topics": ["t"],
        **more,
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"SourceAccessConfigurations": None},
            "Required 'sourceAccessConfigurations' parameter is missing.",
        ),
        ({"Topics": None}, "Required 'topics' parameter is missing."),
        (
            {"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": f"arn:aws:secretsmanager:{REGION}:0:s"}]},
            "Mayfly does not implement secrets as SourceAccessConfigurations",
        ),
        (
            {"SourceAccessConfigurations": [{"Type": "CLIENT_CERTIFICATE_TLS_AUTH", "URI": "x"}]},
            "Mayfly does not implement CLIENT_CERTIFICATE_TLS_AUTH in SourceAccessConfigurations",
        ),
        (
            {
                "EventSourceArn": f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/c/1",
                "SelfManagedEventSource": None,
                "SourceAccessConfigurations": None,
                "StartingPosition": "LATEST",
            },
            "Mayfly does not implement clusters of Amazon MSK",
        ),
        ({"TumblingWindowInSeconds": 30}, "Unsupported TumblingWindowInSeconds parameter"),
    ],
)
async def test_what_a_cluster_cannot_be_mapped_with_is_refused(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("mayfly.services.functions.mappings.kafka_client.is_installed", lambda: True)
    at = MappingStage(await open_stage())
    await at.stage.create()
    asked = {name: value for name, value in _self_managed(**params).items() if value is not None}
    error = await at.stage.refusal("CreateEventSourceMapping", **asked)
    assert error.code == "InvalidParameterValueException"
    assert error.message.startswith(message)


async def test_without_the_client_library_topics_are_refused_and_it_is_named(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.services.functions.mappings.kafka_client.is_installed", lambda: False)
    at = MappingStage(await open_stage())
    await at.stage.create()
    error = await at.stage.refusal("CreateEventSourceMapping", **_self_managed())
    assert "pip install aiokafka" in error.message


async def test_a_mapping_of_a_topic_is_shown_as_it_was_asked_for_and_refused_twice(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mayfly.services.functions.mappings.kafka_client.is_installed", lambda: True)
    at = MappingStage(await open_stage())
    await at.stage.create()
    made = await at.stage.call("CreateEventSourceMapping", **_self_managed(Enabled=False))
    shown = await at.stage.call("GetEventSourceMapping", UUID=made["UUID"])
    assert shown["SelfManagedEventSource"] == {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["one:9092", "two:9092"]}}
    assert shown["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": made["UUID"]}
    assert (shown["Topics"], shown["StartingPosition"], shown["BatchSize"]) == (["t"], "TRIM_HORIZON", 100)
    assert "EventSourceArn" not in shown
    error = await at.stage.refusal("CreateEventSourceMapping", **_self_managed())
    assert error.code == "ResourceConflictException"
    assert error.message == (
        f'An event source mapping with event source ("one:9092,two:9092"), function ("{ARN}f"), topics ("t") '
        f"already exists. Please update or delete the existing mapping with UUID {made['UUID']}"
    )


@pytest.mark.skipif(
    not BROKERS, reason="MAYFLY_TEST_KAFKA names no broker: the client was not tried against a real one"
)
async def test_a_topic_of_a_real_broker_is_read(open_store: OpenStore) -> None:
    library: Any = importlib.import_module("aiokafka")
    topic = f"mayfly-{uuid.uuid4().hex}"
    producer = library.AIOKafkaProducer(bootstrap_servers=BROKERS.split(","))
    await producer.start()
    try:
        for number in range(20):
            await producer.send_and_wait(topic, str(number).encode(), key=b"k", headers=[("h", b"v")])
    finally:
        await producer.stop()
    store, clock = await open_store("mayfly.services.functions.mappings"), SystemClock()
    mapping = Mapping(
        topic, "kafka", BROKERS, f"{ARN}f", 0.0, "Enabled", position="TRIM_HORIZON", topics=(topic,), batch_size=7
    )
    source = KafkaSource(BrokerClient(BROKERS.split(","), topic, topic, Login()), topic)
    shape = KafkaShape(topic, BROKERS)
    driver = StreamDriver(mapping, source, shape, store, clock, filters.compiled(None), NoMeter(), NoDiscards(), source)
    await driver.open()
    batches = await drained(driver, 20)
    assert [text_of(record) for batch in batches for record in batch.records] == [str(number) for number in range(20)]
    await driver.close()
