"""Events on their way to targets: the first attempt in the transaction that routes them, the others in lanes.

A local target (a function, a queue, a topic, a log group) takes an event in the same transaction; what is left for
later is what needs a network, and what failed. The item of a lane holds all that its attempts need, so that a rule
that is changed or deleted meanwhile changes nothing for events that matched it.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec

from mayfly.clock import Clock
from mayfly.services.contract import ServiceError
from mayfly.services.events import attempts, transformation
from mayfly.services.events.attempts import Again, Failure, GiveUp
from mayfly.services.events.catalog import Aim, source_of
from mayfly.services.events.entries import time_text
from mayfly.services.events.http_targets import HttpDelivery, HttpTargetError, HttpTargets
from mayfly.services.events.lanes import Lanes
from mayfly.services.events.letters import DeadLetters
from mayfly.services.events.model import Event, HttpParameters
from mayfly.services.events.paths import MISSING, Path
from mayfly.services.events.transformation import Circumstances
from mayfly.services.ports import EventTargets, TargetOptions
from mayfly.store.api import Claim, ReadyQueue, Store, Tx


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event for one target, as it waits in a lane."""

    event: bytes  # as it was put on the bus: what dead letters hold
    rule_arn: str
    target_arn: str
    since: float  # Unix seconds; its age counts from here
    body: bytes | None = None  # what the target gets; None: the event
    retries: int = 0  # attempts after the first
    tried: bool = False
    group_id: str | None = None
    http: HttpParameters | None = None  # with values, not paths
    dead_letter_arn: str | None = None
    max_attempts: int | None = None
    max_age_s: int | None = None
    trace: str | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Waiting).decode


class Deliveries:
    """Makes attempts, and decides what follows them."""

    def __init__(
        self,
        store: Store,
        queue: ReadyQueue,
        lanes: Lanes,
        targets: EventTargets,
        http: HttpTargets,
        letters: DeadLetters,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._queue = queue
        self._lanes = lanes
        self._targets = targets
        self._http = http
        self._letters = letters
        self._clock = clock
        self._jitter = jitter

    def first(self, tx: Tx, rule_arn: str, rule_name: str, aim: Aim, event: Event) -> None:
        """Send an event to a target that is no bus, or let it wait for that. Never raises `ServiceError`."""
        try:
            body = None if aim.render is None else self._rendered(rule_arn, rule_name, aim, event)
        except transformation.NotJsonError as error:
            return self.give_up(tx, rule_arn, aim, event, Failure("INVALID_JSON", str(error), retry=False))
        if aim.http:
            return self._lanes.put(tx, aim.target.arn, _encode(self._waiting(rule_arn, aim, event, body)))
        try:
            self._targets.accept(tx, aim.target.arn, event.text if body is None else body, _options(aim, event))
        except ServiceError as refusal:
            waiting = self._waiting(rule_arn, aim, event, body)
            self._after(tx, msgspec.structs.replace(waiting, tried=True), attempts.failure_of(refusal))
        return None

    def give_up(self, tx: Tx, rule_arn: str, aim: Aim, event: Event, failure: Failure) -> None:
        """Write the dead letter of an event for which no attempt makes sense."""
        self._letter(tx, self._waiting(rule_arn, aim, event, None), failure, GiveUp(None))

    async def handle(self, claim: Claim) -> bool:
        """One more attempt for an item of a lane, and what follows, in one transaction; whether the target took it."""
        waiting = _decode(claim.payload)
        max_age_s = attempts.MAX_AGE_S if waiting.max_age_s is None else waiting.max_age_s
        if not waiting.tried and self._clock.now() - waiting.since > max_age_s:
            await self._store.write(lambda tx: self._too_late(tx, claim, waiting))
            return False
        if waiting.target_arn.split(":", 3)[2] != "events":
            return await self._store.write(lambda tx: self._locally(tx, claim, waiting))
        try:
            await self._http.deliver(waiting.target_arn, _request(waiting))
        except HttpTargetError as error:
            failure = Failure(error.code, error.message, error.retry, error.after_s, error.counted)
            await self._store.write(lambda tx: self._failed(tx, claim, waiting, failure))
            return not failure.counted  # a rate limit of ours says nothing against the endpoint
        await self._store.write(lambda tx: self._queue.complete(tx, claim))
        return True

    def _rendered(self, rule_arn: str, rule_name: str, aim: Aim, event: Event) -> bytes:
        assert aim.render is not None
        now = Circumstances(rule_arn, rule_name, time_text(self._clock.now()))
        body = aim.render(event, now)
        if aim.wants_json and not transformation.is_json(body):
            raise transformation.NotJsonError("the input is no JSON, which is what a function is invoked with")
        return body

    def _waiting(self, rule_arn: str, aim: Aim, event: Event, body: bytes | None) -> Waiting:
        target = aim.target
        return Waiting(
            event=event.text,
            rule_arn=rule_arn,
            target_arn=target.arn,
            since=self._clock.now(),
            body=body,
            group_id=target.group_id,
            http=None if target.http is None else _filled(target.http, event.fields),
            dead_letter_arn=target.dead_letter_arn,
            max_attempts=target.max_attempts,
            max_age_s=target.max_age_s,
            trace=event.trace,
        )

    def _locally(self, tx: Tx, claim: Claim, waiting: Waiting) -> bool:
        owner = source_of(waiting.rule_arn)
        options = TargetOptions(group_id=waiting.group_id, trace_header=waiting.trace, on_behalf_of=owner)
        body = waiting.event if waiting.body is None else waiting.body
        try:
            self._targets.accept(tx, waiting.target_arn, body, options)
        except ServiceError as refusal:
            self._failed(tx, claim, waiting, attempts.failure_of(refusal))
            return False
        self._queue.complete(tx, claim)
        return True

    def _too_late(self, tx: Tx, claim: Claim, waiting: Waiting) -> None:
        """So many events wait for the target that the turn of this one came when it was too old."""
        self._queue.complete(tx, claim)
        failure = Failure("THROTTLING", "The target did not take events fast enough.", retry=False)
        self._letter(tx, waiting, failure, GiveUp("MaximumEventAgeInSeconds"))

    def _failed(self, tx: Tx, claim: Claim, waiting: Waiting, failure: Failure) -> None:
        if not failure.counted and self._clock.now() - waiting.since < (waiting.max_age_s or attempts.MAX_AGE_S):
            return self._queue.retry(tx, claim, self._clock.now() + (failure.after_s or 0.0))
        self._queue.complete(tx, claim)
        # A retry counts on the item itself, so the item is replaced by one that carries the new count.
        retried = msgspec.structs.replace(waiting, retries=waiting.retries + waiting.tried, tried=True)
        return self._after(tx, retried, failure)

    def _after(self, tx: Tx, waiting: Waiting, failure: Failure) -> None:
        """What follows a failed attempt; `waiting` counts it."""
        now = self._clock.now()
        decided = attempts.after(
            failure, waiting.retries, now - waiting.since, waiting.max_attempts, waiting.max_age_s, self._jitter()
        )
        if isinstance(decided, Again):
            return self._lanes.put(tx, waiting.target_arn, _encode(waiting), now + decided.delay_s)
        return self._letter(tx, waiting, failure, decided)

    def _letter(self, tx: Tx, waiting: Waiting, failure: Failure, decided: GiveUp) -> None:
        self._letters.write(
            tx,
            waiting.dead_letter_arn,
            waiting.event,
            rule_arn=waiting.rule_arn,
            target_arn=waiting.target_arn,
            failure=failure,
            condition=decided.condition,
            retries=waiting.retries,
        )


def _options(aim: Aim, event: Event) -> TargetOptions:
    return aim.options if event.trace is None else replace(aim.options, trace_header=event.trace)


def _request(waiting: Waiting) -> HttpDelivery:
    body = waiting.event if waiting.body is None else waiting.body
    event = None if waiting.body is None else waiting.event
    http = HttpParameters() if waiting.http is None else waiting.http
    return HttpDelivery(body, http.path_values, http.headers, http.query, event)


def _filled(parameters: HttpParameters, event: Mapping[str, object]) -> HttpParameters:
    """Parameters with what their paths find in the original event."""

    def value(text: str) -> str:
        if not text.startswith("$."):
            return text
        try:
            found = Path(text).find(event)
        except ValueError:
            return text
        if found is MISSING:
            return ""
        return found if isinstance(found, str) else msgspec.json.encode(found).decode()

    return HttpParameters(
        tuple(map(value, parameters.path_values)),
        {name: value(text) for name, text in parameters.headers.items()},
        {name: value(text) for name, text in parameters.query.items()},
    )
