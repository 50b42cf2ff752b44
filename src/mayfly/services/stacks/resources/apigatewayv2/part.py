"""What the types of AWS::ApiGatewayV2 have in common: Create, Get, Update and Delete of one noun, under an id that the
service gives, with properties that are called what the operations call them."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.base import Caller, Made, Target, picked
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import like, observed
from mayfly.services.stacks.resources.schema import Entries, Fields, Items, Json, Scalar, Schema

WIRE = "apigatewayv2"
GONE = "NotFoundException"


class Part(Unnamed):
    """A type whose noun is part of something, an API mostly."""

    noun: str  # of the operations: "Route"
    schema: Fields
    parents: tuple[str, ...] = ("ApiId",)  # properties that say of what it is a part
    replaced_by = frozenset({"ApiId"})
    attributes: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = {}  # what is there where nothing was said

    @property
    def id_name(self) -> str:
        """What operations call its id."""
        return f"{self.noun}Id"

    def parameters(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """What operations are told of properties."""
        return dict(properties)

    def made(self, reply: Mapping[str, Any]) -> Made:
        return Made(reply[self.id_name], picked(reply, *self.attributes))

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        return self.made(await call.once(target, WIRE, f"Create{self.noun}", **self.parameters(properties)))

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        cleared = {name: self.cleared(name) for name in old if name not in new}
        changes = self.parameters({**cleared, **new})
        await call(WIRE, f"Update{self.noun}", **changes, **{self.id_name: made.physical_id})
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, WIRE, f"Delete{self.noun}", **self.named(made, properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, WIRE, f"Get{self.noun}", **self.named(made, properties))
        if found is None:
            return None
        told = self.truth(picked(found, *self.schema.members), properties)
        truth = {name: like(properties.get(name), value) for name, value in told.items()}
        return observed(properties, truth, *self.parents, defaults=self.defaults)

    def truth(self, found: dict[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        """What was found in the template's form."""
        return found

    def named(self, made: Made, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Which one, as operations are told."""
        return {**picked(properties, *self.parents), self.id_name: made.physical_id}

    def cleared(self, name: str) -> Any:
        """What a property is set to when a template says it no more."""
        return self.defaults[name] if name in self.defaults else _nothing(self.schema.members[name])


def _nothing(schema: Schema) -> Any:
    if isinstance(schema, Scalar):
        return {"String": "", "Boolean": False}.get(schema.kind, 0)
    return [] if isinstance(schema, Items) else {} if isinstance(schema, Entries | Fields | Json) else ""


async def change_tags(call: Caller, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Have the tags of what has `arn` follow a template's, which are maps here."""
    before, after = old.get("Tags") or {}, new.get("Tags") or {}
    put = {key: value for key, value in after.items() if before.get(key) != value}
    gone = [key for key in before if key not in after]
    if gone:
        await call(WIRE, "UntagResource", ResourceArn=arn, TagKeys=gone)
    if put:
        await call(WIRE, "TagResource", ResourceArn=arn, Tags=put)
