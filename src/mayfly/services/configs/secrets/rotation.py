"""The rotation of a secret by a function: four steps, each one call, all of them once more where one failed.

A rotation is an item of a ready queue, written in the transaction that began it, so that it goes on after a restart. It
is the function that changes what stands behind the secret; every step may be called again, as AWS says of them. When
`finishSecret` has left the new version without AWSCURRENT, or a step fails time and again, the rotation is given up:
the version stays pending until the next one.
"""

import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from mayfly.clock import Clock
from mayfly.errors import MayflyError
from mayfly.services.configs.scopes import scope_of_key
from mayfly.services.configs.secrets import catalog, schedules, stages
from mayfly.services.configs.secrets.model import CURRENT, PENDING, Place, Rotation, Secret, Version
from mayfly.services.pump import Pump
from mayfly.store.api import Claim, NewItem, ReadyQueue, Store, Tx
from mayfly.ticker.ticker import Moment

QUEUE = "secrets-rotations"
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
LEASE_S = 1000.0  # longer than a function may run; extended with each step
ATTEMPTS = 5
RETRY_S = 60.0
AT_ONCE = 4

_log = logging.getLogger(__name__)


class RotationFailedError(MayflyError):
    """The function failed, or could not be called."""


class RotationCalls(Protocol):
    """How functions are called."""

    async def check(self, function: str, secret_arn: str, account: str) -> None:
        """`ServiceError` unless it may be called for this secret."""

    async def call(self, function: str, event: dict[str, str], place: Place) -> None:
        """`RotationFailedError`."""


class Run(msgspec.Struct, frozen=True):
    """What an item says."""

    scope: str
    name: str
    token: str
    test: bool  # only `testSecret`, with a version that is there for it alone


class Rotations:
    """Begins rotations and carries them out. `run` must be a task."""

    def __init__(
        self, store: Store, ready: ReadyQueue, clock: Clock, calls: RotationCalls, new_token: Callable[[], str]
    ) -> None:
        self._store = store
        self._ready = ready
        self._clock = clock
        self._calls = calls
        self._new_token = new_token
        self._pump = Pump(ready, QUEUE, self._rotate, AT_ONCE, LEASE_S)

    def begin(self, tx: Tx, place: Place, secret: Secret, token: str, *, test: bool) -> Secret:
        """`secret` with a rotation under way, or with a test of one; the row is the caller's."""
        assert secret.rotation is not None, "rotated by something"
        rotation = secret.rotation
        if secret.version(token) is None:
            made = Version(token, self._clock.now(), has_value=False)
            versions = stages.staged((*secret.versions, made), token, (PENDING,))
            # What an earlier rotation left without a value is of no use once it is not pending.
            versions = tuple(one for one in versions if one.has_value or one.stages)
            secret = msgspec.structs.replace(secret, versions=versions)
        if not test:
            rotation = msgspec.structs.replace(rotation, token=token)
        run = Run(place.scope.key, place.name, token, test)
        self._ready.enqueue(tx, [NewItem(QUEUE, msgspec.json.encode(run))])
        return msgspec.structs.replace(secret, rotation=rotation)

    def due(self, tx: Tx, place: Place, secret: Secret, now: float) -> Moment | None:
        """The tick of a secret: begin its rotation, unless one is under way; when the next one is due."""
        rotation = secret.rotation
        if rotation is None or not rotation.enabled:
            return None
        if rotation.token is None:
            secret = self.begin(tx, place, secret, self._new_token(), test=False)
        following = schedules.next_at(rotation, now)
        assert secret.rotation is not None, "it was there"
        renewed = msgspec.structs.replace(secret.rotation, next_at=following)
        catalog.put(tx, place, msgspec.structs.replace(secret, rotation=renewed))
        return None if following is None else Moment(following, following)

    async def run(self) -> None:
        """Until cancelled, or the store is closed. What was under way then is done again by the next server."""
        await self._pump.run()

    async def _rotate(self, claim: Claim) -> None:
        run = msgspec.json.decode(claim.payload, type=Run)
        place = Place(scope_of_key(run.scope), run.name)
        failure: str | None = None
        for step in ("testSecret",) if run.test else STEPS:
            secret = await self._store.read(lambda reader: catalog.find(reader, place))
            if secret is None or secret.deleted_at is not None or not _under_way(secret.rotation, run):
                break
            assert secret.rotation is not None, "see above"
            event = {
                "SecretId": place.arn(secret.suffix),
                "ClientRequestToken": run.token,
                "Step": step,
                "RotationToken": run.token,
            }
            try:
                await self._calls.call(secret.rotation.function, event, place)
            except RotationFailedError as error:
                failure = f"{step}: {error}"
                break
            claim = await self._ready.extend(claim, LEASE_S)
        await self._store.write(lambda tx: self._end(tx, claim, place, run, failure))

    def _end(self, tx: Tx, claim: Claim, place: Place, run: Run, failure: str | None) -> None:
        secret = catalog.find(tx, place)
        if failure is not None and claim.attempt < ATTEMPTS and not run.test and secret is not None:
            _log.warning("the rotation of %s failed in %s; it is tried again", place.name, failure)
            self._ready.retry(tx, claim, self._clock.now() + RETRY_S * claim.attempt)
            return
        self._ready.complete(tx, claim)
        if failure is not None:
            _log.warning("the rotation of %s was given up, it failed in %s", place.name, failure)
        if secret is None or secret.rotation is None:
            return
        catalog.put(tx, place, _tested(secret, run) if run.test else _ended(secret, run, self._clock.now()))


def _under_way(rotation: Rotation | None, run: Run) -> bool:
    return rotation is not None and (run.test or (rotation.enabled and rotation.token == run.token))


def _tested(secret: Secret, run: Run) -> Secret:
    """Without the version that was there for the test, unless somebody gave it a value."""
    version = secret.version(run.token)
    if version is None or version.has_value:
        return secret
    return msgspec.structs.replace(secret, versions=tuple(one for one in secret.versions if one.id != run.token))


def _ended(secret: Secret, run: Run, now: float) -> Secret:
    """What is over is under way no more; where it came to its end, the version is pending no more."""
    assert secret.rotation is not None, "checked by the caller"
    rotation = secret.rotation
    if rotation.token == run.token:
        rotation = msgspec.structs.replace(rotation, token=None)
    version = secret.version(run.token)
    if version is None or CURRENT not in version.stages:
        return msgspec.structs.replace(secret, rotation=rotation)
    versions = stages.unstaged(secret.versions, run.token, PENDING)
    return msgspec.structs.replace(secret, rotation=rotation, versions=versions, rotated_at=now, changed_at=now)
