"""The policy of queues and of topics, as two types each: one for several, and one for one.

What is particular is how it is put, taken away and looked up.
"""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed


class Holder:
    """What has one policy: the last that is put is it."""

    async def put(self, call: Caller, one: str, document: Any) -> None:
        """Have `one` have a policy."""
        raise NotImplementedError

    async def remove(self, call: Caller, one: str) -> None:
        """Have it have none any more; what is gone has none."""
        raise NotImplementedError

    async def policy(self, call: Caller, one: str, given: Any) -> Any:
        """What it has, in the form of `given`; None: nothing that anybody put, or it is gone."""
        raise NotImplementedError


class PolicyOfSeveral(Holder, Unnamed):
    """One document for several of them."""

    member: str  # the property that lists them
    replaced_by: frozenset[str] = frozenset()
    attributes = frozenset({"Id"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self._put_all(call, properties)
        name = self.physical_id(target, properties)
        return Made(name, {"Id": name})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        for one in old[self.member]:
            if one not in new[self.member]:
                await self.remove(call, one)
        await self._put_all(call, new)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        for one in properties[self.member]:
            await self.remove(call, one)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found, document = [], properties["PolicyDocument"]
        for one in properties[self.member]:
            policy = await self.policy(call, one, properties["PolicyDocument"])
            if policy is not None:
                found.append(one)
                document = policy if policy != properties["PolicyDocument"] else document
        return {self.member: found, "PolicyDocument": document} if found else None

    async def _put_all(self, call: Caller, properties: Mapping[str, Any]) -> None:
        for one in properties[self.member]:
            await self.put(call, one, properties["PolicyDocument"])


class PolicyOfOne(Holder):
    """The document of one, which gives the resource its name."""

    member: str  # the property that names it
    attributes: frozenset[str] = frozenset()

    def physical_id(self, target: Target, properties: Mapping[str, Any]) -> str:
        return str(properties[self.member])

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        await self.put(call, properties[self.member], properties["PolicyDocument"])
        return Made(properties[self.member])

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        await self.put(call, made.physical_id, new["PolicyDocument"])
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await self.remove(call, made.physical_id)

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        policy = await self.policy(call, made.physical_id, properties["PolicyDocument"])
        return None if policy is None else {self.member: made.physical_id, "PolicyDocument": policy}
