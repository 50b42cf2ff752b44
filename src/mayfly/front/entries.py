"""What a front knows of functions and keys: what the core told it, until the core takes it back.

Both are asked for when they are first needed and kept until they are revoked. An answer that was on its way while
something was revoked is good for whoever asked before that, and is not kept.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from mayfly.clock import Clock
from mayfly.engine.api import Target
from mayfly.front import messages
from mayfly.front.refusals import error_of
from mayfly.sandbox.api import SandboxSpec
from mayfly.services.functions.catalog import Entry
from mayfly.services.functions.engine_targets import FunctionTarget
from mayfly.services.functions.model import LATEST, Alias, Function, Subject, Version
from mayfly.services.identity.faults import expired_token
from mayfly.services.ports import SigningKey

MOST_ENTRIES = 4096
MOST_KEYS = 4096

P = TypeVar("P")
Ask = Callable[[Callable[[int], object]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class FrontTarget(FunctionTarget):
    """A target as a front knows it: enough to run calls on instances that the core made."""

    local: bool = False  # whether this front may


class RemoteEntries:
    """`catalog.Catalog`, as far as calls need it. `ask` puts a question, made with its number, to the core."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._named: OrderedDict[tuple[str, str | None], Entry] = OrderedDict()
        self._urls: OrderedDict[str, Entry] = OrderedDict()
        self._revocations = 0

    def peek(self, name: str, qualifier: str | None = None) -> Entry | None:
        """The entry of what a caller named, if it is in memory."""
        return self._named.get((name, None if qualifier == LATEST else qualifier))

    async def get(self, name: str, qualifier: str | None = None) -> Entry:
        """The entry of what a caller named; `ServiceError` ResourceNotFoundException."""
        qualifier = None if qualifier == LATEST else qualifier
        if (entry := self._named.get((name, qualifier))) is not None:
            return entry
        revocations = self._revocations
        answer = await self._ask(lambda number: messages.AskEntry(number, name, qualifier))
        entry = entry_of(answer)
        assert entry is not None, "a name is found or refused"
        if revocations == self._revocations:
            _keep(self._named, (name, qualifier), entry, MOST_ENTRIES)
        return entry

    async def by_url(self, url_id: str) -> Entry | None:
        """What is behind a URL id, or None."""
        if (entry := self._urls.get(url_id)) is not None:
            return entry
        revocations = self._revocations
        entry = entry_of(await self._ask(lambda number: messages.AskEntry(number, "", url_id=url_id)))
        if entry is not None and revocations == self._revocations:
            _keep(self._urls, url_id, entry, MOST_ENTRIES)
        return entry

    def revoke(self, function: str | None) -> None:
        """Forget a function by its name; None: all."""
        self._revocations += 1
        _drop(self._named, function)
        _drop(self._urls, function)


class RemoteKeys:
    """`ports.KeySource`."""

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._known: OrderedDict[tuple[str, str | None], SigningKey] = OrderedDict()
        self._revocations = 0

    async def find(self, access_key_id: str, session_token: str | None) -> SigningKey:
        """The key; `ServiceError` InvalidClientTokenId or ExpiredToken."""
        place = (access_key_id, session_token)
        key = self._known.get(place)
        if key is None:
            revocations = self._revocations
            answer: messages.Key = await self._ask(lambda number: messages.AskKey(number, access_key_id, session_token))
            if answer.refusal is not None:
                raise error_of(answer.refusal)
            assert answer.principal is not None
            key = SigningKey(answer.secret, answer.principal, answer.expires_at)
            if revocations == self._revocations:
                _keep(self._known, place, key, MOST_KEYS)
        if key.expires_at <= self._clock.now():
            self._known.pop(place, None)
            raise expired_token()
        return key

    def revoke(self) -> None:
        """Forget all."""
        self._revocations += 1
        self._known.clear()


def _keep(known: "OrderedDict[Any, Any]", place: object, value: object, most: int) -> None:
    known[place] = value
    while len(known) > most:
        known.popitem(last=False)


def _drop(known: "OrderedDict[P, Entry]", function: str | None) -> None:
    for place in [place for place, entry in known.items() if function in (None, entry.function.name)]:
        del known[place]


# Entries on the wire.


def entry_message(number: int, entry: Entry) -> messages.Entry:
    """What the core says of an entry. Calls that share a name, or cannot run, stay with it."""
    subject, target = entry.subject, entry.target
    lends = target.contract == "frames"  # what is spoken with others stays in the core's process
    lends = lends and entry.function.configuration.durable is None  # nor are executions anybody else's
    local = lends and entry.canary is None and target.state == "Active" and target.reserved_concurrency != 0
    return messages.Entry(
        number,
        function=msgspec.msgpack.encode(_without_variables(entry.function)),
        subject=None if subject is entry.function else msgspec.msgpack.encode(_without_variables(subject)),
        subject_kind="function" if isinstance(subject, Function) else _kind(subject),
        qualifier=entry.qualifier,
        target=msgspec.msgpack.encode(_view(target)),
        local=local,
    )


def _without_variables(subject: Subject) -> Subject:
    """What a function keeps secret is of no use to a front, whose instances are made by the core."""
    if isinstance(subject, Alias):
        return subject
    configuration = msgspec.structs.replace(subject.configuration, environment=None)
    return msgspec.structs.replace(subject, configuration=configuration)


def entry_of(said: messages.Entry) -> Entry | None:
    """The entry that the core's answer stands for; raises what it refuses with."""
    if said.refusal is not None:
        raise error_of(said.refusal)
    if said.function is None or said.target is None:
        return None
    function = msgspec.msgpack.decode(said.function, type=Function)
    subject: Subject = function
    if said.subject is not None:
        if said.subject_kind == "version":
            subject = msgspec.msgpack.decode(said.subject, type=Version)
        else:
            subject = msgspec.msgpack.decode(said.subject, type=Alias)
    view = msgspec.msgpack.decode(said.target, type=messages.TargetView)
    return Entry(function, subject, said.qualifier, _target(view, local=said.local))


def _kind(subject: Version | Alias) -> Literal["version", "alias"]:
    return "version" if isinstance(subject, Version) else "alias"


def _view(target: FunctionTarget) -> messages.TargetView:
    return messages.TargetView(
        key=target.key,
        function=target.function,
        timeout_s=target.timeout_s,
        memory_mb=target.sandbox.memory_mb,
        template=target.sandbox.runtime,
        name=target.name,
        version=target.version,
        log_group=target.log_group,
        ephemeral_mb=target.ephemeral_mb,
        architecture=target.architecture,
        account=target.account,
        runtime=target.runtime,
        concurrency=target.concurrency,
        logs=target.logs,
        log_owner=target.log_owner,
        initialization=target.initialization,
        traced=target.traced,
    )


def _target(view: messages.TargetView, *, local: bool) -> FrontTarget:
    return FrontTarget(
        key=view.key,
        function=view.function,
        sandbox=SandboxSpec(view.template, Path("/"), memory_mb=view.memory_mb),
        handler="",
        timeout_s=view.timeout_s,
        environment=_made_elsewhere,
        name=view.name,
        version=view.version,
        log_group=view.log_group,
        ephemeral_mb=view.ephemeral_mb,
        architecture=view.architecture,
        account=view.account,
        runtime=view.runtime,
        concurrency=view.concurrency,
        logs=view.logs,
        log_owner=view.log_owner,
        initialization=view.initialization,
        traced=view.traced,
        local=local,
    )


async def _made_elsewhere(instance: str) -> dict[str, str]:
    raise AssertionError(f"instances like {instance} are made by the core")


def is_of(target: Target, function: str) -> bool:
    """Whether a target belongs to the function of that name."""
    return isinstance(target, FunctionTarget) and target.name == function
