"""Table definitions from requests: keys, indexes and billing, checked as DynamoDB checks them."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

from mayfly.services.tables.errors import InvalidError
from mayfly.services.tables.model import Attribute, AttributeType, BillingMode, Index, Throughput

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import KeySchemaElementTypeDef

MAX_LOCAL_INDEXES = 5
MAX_GLOBAL_INDEXES = 20
MAX_UNITS = 1_000_000_000_000
_PREFIX = "One or more parameter values were invalid: "
_INDEX_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}\Z")


class Schema:
    """The attribute definitions of a request, and the keys that are made from them."""

    def __init__(self, definitions: Sequence[Mapping[str, Any]]) -> None:
        self._types: dict[str, AttributeType] = {}
        for definition in definitions:
            name, kind = definition["AttributeName"], definition["AttributeType"]
            if kind not in get_args(AttributeType):
                raise InvalidError(
                    f"1 validation error detected: Value '{kind}' at 'attributeDefinitions.1.member.attributeType' "
                    "failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]"
                )
            if name in self._types:
                raise InvalidError(f"{_PREFIX}Duplicate AttributeName in AttributeDefinitions: {name}")
            self._types[name] = kind
        self._used: set[str] = set()

    def keys(self, elements: Sequence["KeySchemaElementTypeDef"]) -> tuple[Attribute, Attribute | None]:
        """Hash and range attribute of a key schema; `InvalidError`."""
        names = [element["AttributeName"] for element in elements]
        if len(names) > 2:
            raise InvalidError(
                "1 validation error detected: Value at 'keySchema' failed to satisfy constraint: "
                "Member must have length less than or equal to 2"
            )
        if len(names) > len(self._types):
            raise InvalidError("Invalid KeySchema: Some index key attribute have no definition")
        if any(name not in self._types for name in names):
            raise InvalidError(
                f"{_PREFIX}Some index key attributes are not defined in AttributeDefinitions. "
                f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(self._types)}]"
            )
        if len(set(names)) < len(names):
            raise InvalidError("Both the Hash Key and the Range Key element in the KeySchema have the same name")
        if elements[0]["KeyType"] != "HASH":
            raise InvalidError("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
        if len(elements) == 2 and elements[1]["KeyType"] != "RANGE":
            raise InvalidError("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
        self._used.update(names)
        attributes = [Attribute(name, self._types[name]) for name in names]
        return attributes[0], attributes[1] if len(attributes) == 2 else None

    def check_all_used(self, *, indexed: bool) -> None:
        """`InvalidError` when an attribute is defined that no key uses."""
        unused = [name for name in self._types if name not in self._used]
        if unused and not indexed:
            raise InvalidError(
                f"{_PREFIX}Number of attributes in KeySchema does not exactly match "
                "number of attributes defined in AttributeDefinitions"
            )
        if unused:
            raise InvalidError(
                f"{_PREFIX}Some AttributeDefinitions are not used. "
                f"AttributeDefinitions: [{', '.join(self._types)}], keys used: [{', '.join(sorted(self._used))}]"
            )


def indexes(request: Mapping[str, Any], schema: Schema, table_hash: Attribute, has_range: bool) -> tuple[Index, ...]:
    """The secondary indexes that `CreateTable` asks for; `InvalidError`."""
    made: list[Index] = []
    for member, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
        if member not in request:
            continue
        if not request[member]:
            raise InvalidError(f"{_PREFIX}List of {member} is empty")
        if not is_global and not has_range:
            raise InvalidError(
                f"{_PREFIX}Table KeySchema does not have a range key, "
                "which is required when specifying a LocalSecondaryIndex"
            )
        for one in request[member]:
            made.append(index(one, schema, len(made) + 1, None if is_global else table_hash))
    _check_index_counts(made)
    return tuple(made)


def _check_index_counts(made: Sequence[Index]) -> None:
    names = [one.name for one in made]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise InvalidError(f"{_PREFIX}Duplicate index name: {name}")
    if sum(not one.is_global for one in made) > MAX_LOCAL_INDEXES:
        raise InvalidError(f"{_PREFIX}Number of LocalSecondaryIndexes exceeds per-table limit of {MAX_LOCAL_INDEXES}")
    if sum(one.is_global for one in made) > MAX_GLOBAL_INDEXES:
        raise InvalidError(f"{_PREFIX}GlobalSecondaryIndex count exceeds the per-table limit of {MAX_GLOBAL_INDEXES}")


def index(request: Mapping[str, Any], schema: Schema, index_id: int, table_hash: Attribute | None) -> Index:
    """One secondary index, a local one if the table's hash key is given; `InvalidError`."""
    name = request["IndexName"]
    if not _INDEX_NAME.match(name):
        raise InvalidError(
            f"1 validation error detected: Value '{name}' at 'indexName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        )
    for refused in ("OnDemandThroughput", "WarmThroughput"):
        if refused in request:
            raise InvalidError(f"Mayfly does not implement {refused} of indexes.")
    hash_attribute, range_attribute = schema.keys(request["KeySchema"])
    if table_hash is not None:
        _check_local(name, hash_attribute, range_attribute, table_hash)
    projection = request["Projection"].get("ProjectionType")
    included = request["Projection"].get("NonKeyAttributes")
    if projection is None:
        raise InvalidError(f"{_PREFIX}Unknown ProjectionType: null")
    if included is not None and projection != "INCLUDE":
        raise InvalidError(f"{_PREFIX}ProjectionType is {projection}, but NonKeyAttributes is specified")
    if included is None and projection == "INCLUDE":
        raise InvalidError(f"{_PREFIX}ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    return Index(
        name,
        index_id,
        table_hash is None,
        hash_attribute,
        range_attribute,
        projection,
        tuple(included or ()),
        throughput(request["ProvisionedThroughput"]) if "ProvisionedThroughput" in request else Throughput(),
    )


def _check_local(name: str, hash_: Attribute, range_: Attribute | None, table_hash: Attribute) -> None:
    if range_ is None:
        raise InvalidError(f"{_PREFIX}Index KeySchema does not have a range key for index: {name}")
    if hash_ != table_hash:
        raise InvalidError(
            f"{_PREFIX}Index KeySchema does not have the same leading hash key as table KeySchema for index: "
            f"{name}. index hash key: {hash_.name}, table hash key: {table_hash.name}"
        )


def billing(mode: BillingMode, request: Mapping[str, Any]) -> Throughput:
    """The throughput of a table under a billing mode; `InvalidError` when the two do not go together."""
    given = request.get("ProvisionedThroughput")
    if mode == "PAY_PER_REQUEST":
        if given is not None:
            raise InvalidError(
                f"{_PREFIX}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "
                "when BillingMode is PAY_PER_REQUEST"
            )
        return Throughput()
    if given is None:
        raise InvalidError(
            f"{_PREFIX}ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    return throughput(given)


def check_index_billing(mode: BillingMode, made: Sequence[Index]) -> None:
    """`InvalidError` when an index has a throughput that its table's billing mode excludes, or lacks one."""
    for one in made:
        if mode == "PAY_PER_REQUEST" and one.throughput != Throughput():
            raise InvalidError(
                f"{_PREFIX}ProvisionedThroughput should not be specified for index: {one.name} "
                "when BillingMode is PAY_PER_REQUEST"
            )
        if mode == "PROVISIONED" and one.is_global and one.throughput == Throughput():
            raise InvalidError(f"{_PREFIX}ProvisionedThroughput must be specified for index: {one.name}")


def throughput(given: Mapping[str, Any]) -> Throughput:
    """Provisioned units; `InvalidError` when they are out of bounds."""
    for member in ("ReadCapacityUnits", "WriteCapacityUnits"):
        if given[member] > MAX_UNITS:
            raise InvalidError(f"Given value {given[member]} for {member} is out of bounds")
    return Throughput(given["ReadCapacityUnits"], given["WriteCapacityUnits"])
