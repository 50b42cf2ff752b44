"""The level of isolation of each function: asked for by its tag, required by the platform and by the account.

A tag is what survives every way in which functions are made: the API, templates, SAM, Terraform. What cannot be given
is refused when a function is made, configured or tagged, and when it starts: by then the machine, or a requirement, may
be another. Nothing ever runs at another level than it should.
"""

from collections.abc import Awaitable, Callable, Mapping

from mayfly.policy import levels
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, statements
from mayfly.store.api import Store

TAG = "mayfly:level"

# Why a level cannot be had on this machine, and what would help; None: it can.
Obstacle = Callable[[str], Awaitable[str | None]]


class FunctionLevels:
    """Decides, and keeps what the account requires."""

    def __init__(self, store: Store, account: str, own: str, required: str | None, obstacle: Obstacle) -> None:
        """`own`: the level of functions of which nothing is said; `required`: by the platform, of all of them."""
        self._store = store
        self._account = account
        self._own = own
        self._platforms = required
        self._obstacle = obstacle
        self._accounts: str | None = None

    async def open(self) -> None:
        """Read what the account requires."""
        row = await self._store.read(lambda reader: reader.one(statements.REQUIRED_LEVEL, {"account": self._account}))
        self._accounts = str(row[0]) if row else None

    @property
    def platforms(self) -> str | None:
        """What the platform requires."""
        return self._platforms

    @property
    def accounts(self) -> str | None:
        """What the account requires."""
        return self._accounts

    async def require(self, level: str | None) -> None:
        """Have the account require a level, or none. `ServiceError` when this machine cannot give it."""
        if level is not None and (why := await self._obstacle(level)) is not None:
            raise faults.invalid_parameter(f"The level {level!r} cannot be required: {why}")
        row = {"account": self._account, "level": level}
        statement = statements.REQUIRE_LEVEL if level is not None else statements.REQUIRE_NO_LEVEL
        await self._store.write(lambda tx: tx.run(statement, row if level is not None else {"account": self._account}))
        self._accounts = level

    def of(self, tags: Mapping[str, str]) -> str:
        """The level of a function with these tags; `ServiceError` when what it asks for will not do."""
        required = [one for one in (self._platforms, self._accounts) if one is not None]
        try:
            return levels.choose(tags.get(TAG), required, self._own)
        except levels.LevelRefusedError as error:
            raise faults.invalid_parameter(f"This function cannot run: {error} (tag {TAG}).") from error

    def mark(self, tags: Mapping[str, str]) -> str:
        """What is different between deployments at different levels; empty at the server's own."""
        try:
            level = self.of(tags)
        except ServiceError:
            return ":refused"
        return "" if level == self._own else f":{level}"

    async def check(self, tags: Mapping[str, str]) -> None:
        """`ServiceError` InvalidParameterValueException when a function with these tags cannot run here."""
        level = self.of(tags)
        if level != self._own and (why := await self._obstacle(level)) is not None:
            raise faults.invalid_parameter(f"The level of isolation {level!r} cannot be had here: {why}")
