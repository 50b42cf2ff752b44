"""What a table is: its keys, its indexes and the settings that DynamoDB lets one give it."""

from typing import Literal

import msgspec

from mayfly.ids import Arn

AttributeType = Literal["S", "N", "B"]
BillingMode = Literal["PROVISIONED", "PAY_PER_REQUEST"]


class Attribute(msgspec.Struct, frozen=True):
    """A key attribute."""

    name: str
    type: AttributeType


class Throughput(msgspec.Struct, frozen=True):
    """Provisioned capacity, as recorded; Mayfly never throttles by it."""

    read_units: int = 0
    write_units: int = 0


class Index(msgspec.Struct, frozen=True):
    """A secondary index; a local one shares the table's hash key."""

    name: str
    id: int  # unique among all indexes that the table ever had
    is_global: bool
    hash: Attribute
    range: Attribute | None
    projection: Literal["ALL", "KEYS_ONLY", "INCLUDE"]
    included: tuple[str, ...] = ()
    throughput: Throughput = Throughput()
    backfilled: bool = True  # False while items written before it was made are still missing from it

    def key_attributes(self) -> tuple[Attribute, ...]:
        """The index's key attributes, hash first."""
        return (self.hash,) if self.range is None else (self.hash, self.range)


class TimeToLive(msgspec.Struct, frozen=True):
    """Which attribute holds the second at which an item expires."""

    attribute: str
    backfilled: bool  # whether items written before it was enabled have been looked at


class Table(msgspec.Struct, frozen=True):
    """A table's definition: one stored document, replaced as a whole. `id` never changes and is never used again."""

    id: str
    name: str
    account: str
    region: str
    created_at: float
    hash: Attribute
    range: Attribute | None
    billing: BillingMode
    throughput: Throughput = Throughput()
    indexes: tuple[Index, ...] = ()
    next_index_id: int = 1
    deletion_protection: bool = False
    table_class: str = "STANDARD"
    pay_per_request_since: float | None = None
    time_to_live: TimeToLive | None = None

    @property
    def arn(self) -> str:
        """The table's ARN."""
        return str(Arn("dynamodb", self.region, self.account, f"table/{self.name}"))

    def key_attributes(self) -> tuple[Attribute, ...]:
        """The table's key attributes, hash first."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    def attributes(self) -> tuple[Attribute, ...]:
        """Every attribute that is part of some key, once."""
        found = {attribute.name: attribute for attribute in self.key_attributes()}
        for index in self.indexes:
            found.update({attribute.name: attribute for attribute in index.key_attributes()})
        return tuple(found.values())

    def index(self, name: str) -> Index | None:
        """The index of that name."""
        return next((index for index in self.indexes if index.name == name), None)
