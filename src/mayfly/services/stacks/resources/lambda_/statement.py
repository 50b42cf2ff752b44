"""What the types have in common that are one statement of a policy of Lambda's: of a function, of a layer's version."""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target


class Statement:
    """A statement has a name of its own, so that another attempt finds what the first one made; any change replaces it.

    A type says in `add` and `remove` which operations it is put and taken away by.
    """

    attributes: frozenset[str] = frozenset({"Id"})
    add: str
    remove: str
    get: str

    def policy(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of both operations: whose policy it is."""
        raise NotImplementedError

    def said(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of `add` alone: what the statement says."""
        raise NotImplementedError

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return target.name(100)

    def custom_name(self, properties: Mapping[str, Any]) -> str | None:
        return None

    async def exists(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> bool:
        return False  # the statement's name is this resource's own

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        statement = self.physical_id(target, properties)
        await call.unless(
            "ResourceConflictException",
            "lambda",
            self.add,
            StatementId=statement,
            **self.policy(properties),
            **self.said(properties),
        )
        return Made(statement, {"Id": statement})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        return made  # nothing can be updated in place

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless("ResourceNotFoundException", "lambda", self.get, **self.policy(properties))
        statements = [] if found is None else json.loads(found["Policy"])["Statement"]
        there = any(statement["Sid"] == made.physical_id for statement in statements)
        return dict(properties) if there else None  # what it says cannot be changed

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(
            "ResourceNotFoundException",
            "lambda",
            self.remove,
            StatementId=made.physical_id,
            **self.policy(properties),
        )
