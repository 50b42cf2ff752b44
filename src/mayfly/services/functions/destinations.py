"""Where the record of an asynchronous invocation may go, and how it gets there.

Queues, topics, buses and functions take a record in the transaction of the invocation's conclusion. A bucket does not:
the object is durable first, so a crash in between leaves a record of an event that is delivered once more. Whatever
refuses a record is counted and told to the caller, who keeps the event.
"""

from dataclasses import dataclass

from mayfly import ids
from mayfly.clock import utc
from mayfly.ids import Arn
from mayfly.services.contract import ServiceError
from mayfly.services.functions import dead_letters, faults, version_repository
from mayfly.services.functions.names import Home, Reference
from mayfly.services.ports import EventTargets, MetricCounts, ObjectSink, Source, TargetOptions
from mayfly.store.api import Store, Tx

PRINCIPAL = "lambda.amazonaws.com"
_JSON = "application/json"
_SERVICES = ("lambda", "sqs", "sns", "events")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is handed over at the end of an event."""

    name: str  # of the function
    function_arn: str  # qualified
    request_id: str
    succeeded: bool
    record: bytes
    brief: bytes  # the same without payloads, for who refuses the record for its size
    at: float
    destination: str | None  # of the record
    event: bytes = b""  # as it came, for `dead_letters`
    dead_letters: str | None = None
    code: int = 200
    message: str = ""
    trace: str | None = None  # that the event was part of


class Destinations:
    """Hands records over, and says what may be a destination."""

    def __init__(
        self, home: Home, store: Store, targets: EventTargets, objects: ObjectSink, counts: MetricCounts
    ) -> None:
        self._home = home
        self._store = store
        self._targets = targets
        self._objects = objects
        self._counts = counts

    async def check(self, source: Reference, on_success: str | None, on_failure: str | None) -> None:
        """`ServiceError` unless each is something that takes records of `source`; None is fine."""
        if not all(_may_be(arn, objects=objects) for arn, objects in ((on_success, False), (on_failure, True))):
            said = ", ".join(
                f"on{kind}={f'On{kind}(destination={arn})' if arn else 'null'}"
                for kind, arn in (("Success", on_success), ("Failure", on_failure))
            )
            raise faults.invalid_parameter(f"The provided destination config DestinationConfig({said}) is invalid.")
        for arn in (on_success, on_failure):
            if arn is not None:
                await self._check_there(source, arn)

    async def check_dead_letters(self, name: str, arn: str | None) -> None:
        """`ServiceError` unless `arn` is None or names a queue or topic that is there."""
        if arn is not None:
            try:
                await self._targets.check(arn, PRINCIPAL, self._home.arn(name), self._home.account)
            except ServiceError as error:
                raise faults.invalid_parameter(
                    f"The provided execution role does not have permissions to call "
                    f"{'SendMessage on SQS' if ':sqs:' in arn else 'Publish on SNS'}: {error.message}"
                ) from error

    async def _check_there(self, source: Reference, arn: str) -> None:
        parsed = Arn.parse(arn)
        try:
            if parsed.service == "s3":
                there = await self._objects.has_bucket(parsed.resource)
            elif parsed.service == "lambda":
                target = self._home.parse(arn)
                if target.name == source.name:
                    raise faults.invalid_parameter("You can't specify the function as a destination for itself.")
                there = await self._store.read(
                    lambda reader: version_repository.resolve(reader, target.name, target.qualifier) is not None
                )
            else:
                await self._targets.check(
                    arn, PRINCIPAL, self._home.arn(source.name, source.qualifier), self._home.account
                )
                there = True
        except ServiceError as error:
            if error.code == "InvalidParameterValueException":
                raise
            raise faults.invalid_parameter(f"The destination ARN {arn} is invalid. {error.message}") from error
        if not there:
            raise faults.invalid_parameter(f"The destination ARN {arn} is invalid.")

    async def ahead(self, letter: Letter) -> str | None:
        """Do what must be done before the transaction of `hand`; why it could not be, if so."""
        arn = letter.destination
        if arn is None or not _is_bucket(arn):
            return None
        source = Source(PRINCIPAL, letter.function_arn, self._home.account)
        try:
            await self._objects.put(Arn.parse(arn).resource, object_key(letter), letter.record, _JSON, source)
        except ServiceError as error:
            return f"{arn} refused the record: {error.message}"
        return None

    def hand(self, tx: Tx, letter: Letter) -> list[str]:
        """Hand over, in the caller's transaction, what is not handed over `ahead`; who refused, and why."""
        refused = []
        arn = letter.destination
        if arn is not None and not _is_bucket(arn):
            options = TargetOptions(
                source="lambda",
                detail_type=f"Lambda Function Invocation Result - {'Success' if letter.succeeded else 'Failure'}",
                resources=(letter.function_arn, arn),
                trace_header=letter.trace,
            )
            refusal = self._hand(tx, arn, letter.record, options)
            if refusal is not None and len(letter.brief) < len(letter.record):
                refusal = self._hand(tx, arn, letter.brief, options) and refusal
            if refusal is not None:
                refused.append(refusal)
        if letter.dead_letters is not None:
            said = dead_letters.attributes(letter.request_id, letter.code, letter.message)
            refusal = self._hand(
                tx, letter.dead_letters, letter.event, TargetOptions(attributes=said, trace_header=letter.trace)
            )
            if refusal is not None:
                refused.append(refusal)
        return refused

    def count(self, name: str, metric: str, amount: float = 1.0, unit: str = "Count") -> None:
        """Add to a metric of a function, and of all."""
        self._counts.count(metric, (), amount, unit)
        self._counts.count(metric, (("FunctionName", name),), amount, unit)

    def _hand(self, tx: Tx, arn: str, event: bytes, options: TargetOptions) -> str | None:
        try:
            self._targets.accept(tx, arn, event, options)
        except ServiceError as error:
            return f"{arn} refused it: {error.message}"
        return None


def metric_of(refusal: str, letter: Letter) -> str:
    """AWS's name of what is counted for a refusal of `hand`."""
    of_dead_letters = letter.dead_letters is not None and refusal.startswith(f"{letter.dead_letters} ")
    return "DeadLetterErrors" if of_dead_letters else "DestinationDeliveryFailures"


def object_key(letter: Letter) -> str:
    """The key of a record in a bucket, as AWS lays them out."""
    at = utc(letter.at)
    return f"aws/lambda/async/{letter.name}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{ids.request_id()}"


def _is_bucket(arn: str) -> bool:
    return arn.split(":")[2:3] == ["s3"]


def _may_be(arn: str | None, *, objects: bool) -> bool:
    """Whether records go to things of this kind."""
    if arn is None:
        return True
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return False
    if parsed.service == "s3":
        return objects
    return parsed.service in _SERVICES and (parsed.service != "lambda" or ":function:" in arn)
