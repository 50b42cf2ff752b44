"""Which driver reads a kind of source, and what is asked of a source before a mapping is made."""

from collections.abc import Callable
from collections.abc import Mapping as Members
from types import MappingProxyType
from typing import Final

from mayfly.clock import Clock
from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.ground import Outside
from mayfly.services.functions.mappings import describe, filters, kafka_client
from mayfly.services.functions.mappings.discarding import OnFailure
from mayfly.services.functions.mappings.drivers import Driver, Meter
from mayfly.services.functions.mappings.kafka_client import BrokerClient, Client, Login
from mayfly.services.functions.mappings.kafka_source import KafkaShape, KafkaSource
from mayfly.services.functions.mappings.model import Mapping
from mayfly.services.functions.mappings.queue_driver import QueueDriver
from mayfly.services.functions.mappings.shapes import DynamoDbShape, KinesisShape, Shape
from mayfly.services.functions.mappings.stream_driver import Follower, Nobody, StreamDriver
from mayfly.services.functions.names import Home
from mayfly.services.ports import ShardSource, Source
from mayfly.store.api import Store

PRINCIPAL: Final = "lambda.amazonaws.com"
_STREAMS: Final[Members[str, str]] = MappingProxyType(
    {"kinesis": "data streams of Kinesis", "dynamodb": "streams of tables"}
)


# What is asked of clients by the name of a secret that holds it.
SECRETS: Final = frozenset({"BASIC_AUTH", "SASL_SCRAM_512_AUTH", "SASL_SCRAM_256_AUTH", "SERVER_ROOT_CA_CERTIFICATE"})


def broker_client(mapping: Mapping) -> Client:
    """A client of the brokers that a mapping names."""
    group = mapping.consumer_group or mapping.uuid
    return BrokerClient(mapping.source.split(","), mapping.topics[0], group, Login())


class Sources:
    """Every kind that there is."""

    def __init__(
        self, outside: Outside, home: Home, store: Store, clock: Clock, clients: Callable[[Mapping], Client]
    ) -> None:
        self._clients = clients
        self._outside = outside
        self._home = home
        self._store = store
        self._clock = clock

    async def check(self, mapping: Mapping, timeout_s: int) -> None:
        """`ServiceError` unless the source is there and suits a function with that timeout."""
        if mapping.kind == "sqs":
            await self._check_queue(mapping, timeout_s)
        elif mapping.kind in _STREAMS:
            await self._check_stream(mapping)
        else:
            await self._check_cluster(mapping)

    async def check_destination(self, mapping: Mapping) -> None:
        """`ServiceError` unless what is to hear of failures is there, and may."""
        arn = mapping.on_failure
        if arn is None:
            return
        try:
            if Arn.parse(arn).service == "s3":
                if await self._outside.objects.has_bucket(Arn.parse(arn).resource):
                    return
                raise ServiceError("NoSuchBucket", "The specified bucket does not exist.")
            source = describe.arn(self._home, mapping.uuid)
            await self._outside.targets.check(arn, PRINCIPAL, source, self._home.account)
        except ServiceError as error:
            raise faults.invalid_parameter(f"The destination ARN {arn} is invalid: {error.message}") from error

    def driver(self, mapping: Mapping, meter: Meter, role: str) -> Driver:
        """What reads the source of a mapping; `role` is whose name the function runs in."""
        criteria = filters.compiled(mapping.filters)
        if mapping.kind == "sqs":
            return QueueDriver(mapping, self._outside.queue_source, self._store, self._clock, criteria, meter)
        if mapping.kind in _STREAMS:
            shape: Shape = DynamoDbShape(mapping.source)
            if mapping.kind == "kinesis":
                shape = KinesisShape(mapping.source, role)
            return self._stream(mapping, self._outside.shards[mapping.kind], shape, criteria, meter, Nobody())
        topic = mapping.topics[0]
        source = KafkaSource(self._clients(mapping), topic)
        return self._stream(mapping, source, KafkaShape(topic, mapping.source), criteria, meter, source)

    def _stream(
        self,
        mapping: Mapping,
        source: ShardSource,
        shape: Shape,
        criteria: filters.Filter,
        meter: Meter,
        follower: Follower,
    ) -> Driver:
        discards = OnFailure(
            mapping,
            Source(PRINCIPAL, describe.arn(self._home, mapping.uuid), self._home.account),
            shape,
            self._outside.targets,
            self._outside.objects,
            self._clock,
        )
        return StreamDriver(mapping, source, shape, self._store, self._clock, criteria, meter, discards, follower)

    async def _check_queue(self, mapping: Mapping, timeout_s: int) -> None:
        try:
            visibility_s = await self._outside.queue_source.visibility_s(mapping.source)
        except ServiceError as error:
            raise faults.invalid_parameter(
                "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                "SQS Error Message: The specified queue does not exist."
            ) from error
        if visibility_s < timeout_s:
            raise faults.invalid_parameter(
                f"Queue visibility timeout: {visibility_s} seconds is less than Function timeout: {timeout_s} seconds"
            )

    async def _check_cluster(self, mapping: Mapping) -> None:
        """Whether the cluster answers is seen when it is read, as on AWS."""
        if mapping.kind == "msk":
            raise faults.not_built(
                "clusters of Amazon MSK, whose brokers it cannot look up: name them in SelfManagedEventSource"
            )
        if not kafka_client.is_installed():
            raise faults.not_built(
                f"topics of Kafka without the package {kafka_client.LIBRARY}, which is not installed here "
                f"(pip install {kafka_client.LIBRARY})"
            )
        if any(each.kind in SECRETS for each in mapping.access):
            raise faults.not_built(
                "secrets as SourceAccessConfigurations: mappings do not read the Secrets Manager yet"
            )

    async def _check_stream(self, mapping: Mapping) -> None:
        shards = self._outside.shards.get(mapping.kind)
        if shards is None:
            raise faults.invalid_parameter(
                f"Stream not found: {mapping.source}. Mayfly has no {_STREAMS[mapping.kind]} yet."
            )
        try:
            await shards.shards(mapping.source)
        except ServiceError as error:
            raise faults.invalid_parameter(f"Stream not found: {mapping.source}") from error
