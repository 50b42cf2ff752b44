"""What is needed of a client of Kafka, and aiokafka as one. Nothing else knows of the library.

aiokafka is an optional dependency, imported in a thread when the first topic is read. Partitions are assigned by hand:
this process reads all of them, and the consumer group is where others see how far it has come.
"""

import asyncio
import importlib
import importlib.util
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from mayfly.services.contract import ServiceError

LIBRARY: Final = "aiokafka"
_TIMES: Final = ("CREATE_TIME", "LOG_APPEND_TIME")


class KafkaRecord(NamedTuple):
    """A record of a topic."""

    offset: int
    timestamp_ms: int
    timestamp_type: str  # "CREATE_TIME" | "LOG_APPEND_TIME"
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """How a cluster knows its clients; None: by nothing."""

    mechanism: str | None = None  # "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"
    username: str = ""
    password: str = ""
    certificate_authority: str | None = None  # PEM; None with a mechanism: those of this machine


class Client(Protocol):
    """A client of one cluster and consumer group, for one topic. `ServiceError` for whatever goes wrong."""

    async def partitions(self) -> Sequence[int]: ...

    async def committed(self, partition: int) -> int | None:
        """The offset that the group goes on at."""

    async def offset(self, partition: int, position: str, at: float | None) -> int:
        """That of a position: TRIM_HORIZON, LATEST or AT_TIMESTAMP."""

    async def fetch(self, partition: int, offset: int, most: int, wait_s: float) -> Sequence[KafkaRecord]:
        """Records from `offset` on, once there are any; none after `wait_s`."""

    async def commit(self, offsets: Mapping[int, int]) -> None: ...

    async def close(self) -> None: ...


def is_installed() -> bool:
    """Whether topics can be read."""
    return importlib.util.find_spec(LIBRARY) is not None


class BrokerClient:
    """A `Client` of real brokers."""

    def __init__(self, servers: Sequence[str], topic: str, group: str, login: Login) -> None:
        self._servers = list(servers)
        self._topic = topic
        self._group = group
        self._login = login
        self._library: Any = None
        self._consumer: Any = None
        self._next: dict[int, int] = {}  # where the consumer stands, of partitions that it reads
        self._opening = asyncio.Lock()

    async def partitions(self) -> Sequence[int]:
        consumer = await self._ready()
        await self._asked(consumer.topics())
        found = consumer.partitions_for_topic(self._topic)
        if not found:
            raise ServiceError("TopicNotFound", f"There is no topic {self._topic} at {','.join(self._servers)}.")
        return sorted(found)

    async def committed(self, partition: int) -> int | None:
        consumer = await self._ready()
        found: int | None = await self._asked(consumer.committed(self._place(partition)))
        return found

    async def offset(self, partition: int, position: str, at: float | None) -> int:
        consumer, place = await self._ready(), self._place(partition)
        if position == "AT_TIMESTAMP":
            found = (await self._asked(consumer.offsets_for_times({place: int((at or 0) * 1000)})))[place]
            if found is not None:
                return int(found.offset)
        ends = consumer.beginning_offsets if position == "TRIM_HORIZON" else consumer.end_offsets
        return int((await self._asked(ends([place])))[place])

    async def fetch(self, partition: int, offset: int, most: int, wait_s: float) -> Sequence[KafkaRecord]:
        consumer, place = await self._ready(), self._place(partition)
        if self._next.get(partition) != offset:
            self._next[partition] = offset
            consumer.assign([self._place(each) for each in self._next])
            for each, at in self._next.items():
                consumer.seek(self._place(each), at)
        found = await self._asked(consumer.getmany(place, timeout_ms=int(wait_s * 1000), max_records=most))
        records = [
            KafkaRecord(each.offset, each.timestamp, _TIMES[each.timestamp_type], each.key, each.value, each.headers)
            for each in found.get(place, ())
        ]
        if records:
            self._next[partition] = records[-1].offset + 1
        return records

    async def commit(self, offsets: Mapping[int, int]) -> None:
        consumer = await self._ready()
        await self._asked(consumer.commit({self._place(partition): at for partition, at in offsets.items()}))

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await self._asked(consumer.stop())

    async def _ready(self) -> Any:
        async with self._opening:
            if self._consumer is not None:
                return self._consumer
            self._library = await asyncio.to_thread(importlib.import_module, LIBRARY)
            consumer = self._library.AIOKafkaConsumer(
                bootstrap_servers=self._servers,
                group_id=self._group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",  # where what is asked for was removed meanwhile
                **self._security(),
            )
            try:
                await self._asked(consumer.start())
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
            return consumer

    def _security(self) -> dict[str, Any]:
        login = self._login
        found: dict[str, Any] = {}
        if login.mechanism is not None:
            found = {
                "sasl_mechanism": login.mechanism,
                "sasl_plain_username": login.username,
                "sasl_plain_password": login.password,
            }
        if login.mechanism is None and login.certificate_authority is None:
            return {"security_protocol": "PLAINTEXT"}
        context = ssl.create_default_context(cadata=login.certificate_authority)
        return {"security_protocol": "SASL_SSL" if found else "SSL", "ssl_context": context, **found}

    def _place(self, partition: int) -> Any:
        return self._library.TopicPartition(self._topic, partition)

    async def _asked(self, question: Any) -> Any:
        """The answer to a question; `ServiceError`."""
        try:
            return await question
        except self._library.errors.KafkaError as error:
            raise ServiceError("KafkaError", f"{','.join(self._servers)}: {error}") from error
