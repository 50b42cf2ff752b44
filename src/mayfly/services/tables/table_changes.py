"""What UpdateTable makes of a table's definition. Pure; `operations.tables` carries it out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.contract import ServiceError
from mayfly.services.tables import schemas
from mayfly.services.tables.errors import InvalidError, unsupported
from mayfly.services.tables.model import BillingMode, Index, Table, Throughput

_NOT_IMPLEMENTED = (
    "GlobalTableSettingsReplicationMode",
    "GlobalTableSourceArn",
    "GlobalTableWitnessUpdates",
    "DisassociationProtectionEnabled",
    "MultiRegionConsistency",
    "OnDemandThroughput",
    "ReplicaUpdates",
    "ResourcePolicy",
    "VectorIndexUpdates",
    "VectorIndexes",
    "WarmThroughput",
)
_CHANGEABLE = (
    "BillingMode",
    "ProvisionedThroughput",
    "TableClass",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexUpdates",
)


def check_update(request: Mapping[str, Any]) -> None:
    """`InvalidError` for an UpdateTable that no table would take."""
    if not any(member in request for member in _CHANGEABLE):
        raise InvalidError(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    if request.get("BillingMode") == "PROVISIONED" and "ProvisionedThroughput" not in request:
        raise InvalidError(
            "One or more parameter values were invalid: "
            "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"
        )
    if "ProvisionedThroughput" in request:
        schemas.throughput(request["ProvisionedThroughput"])
    seen: set[str] = set()
    for update in request.get("GlobalSecondaryIndexUpdates", ()):
        if not update:
            raise InvalidError(
                "One or more parameter values were invalid: One of GlobalSecondaryIndexUpdate.Update, "
                "GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        for change in update.values():
            if change["IndexName"] in seen:
                raise InvalidError(
                    "One or more parameter values were invalid: Only one global secondary index update per index "
                    f"is allowed simultaneously. Index: {change['IndexName']}"
                )
            seen.add(change["IndexName"])


def updated(table: Table, request: Mapping[str, Any], now: float) -> tuple[Table, list[Index]]:
    """The table as a checked UpdateTable wants it, and the indexes that it loses; `ServiceError`."""
    changed = _with_index_updates(table, request)
    if "BillingMode" in request or "ProvisionedThroughput" in request:
        changed = _with_billing(changed, request, now)
    changed = msgspec.structs.replace(
        changed,
        deletion_protection=request.get("DeletionProtectionEnabled", table.deletion_protection),
        table_class=request.get("TableClass", table.table_class),
    )
    return changed, [index for index in table.indexes if changed.index(index.name) is None]


def _with_billing(table: Table, request: Mapping[str, Any], now: float) -> Table:
    mode: BillingMode = request.get("BillingMode", table.billing)
    indexes = table.indexes
    if mode == "PAY_PER_REQUEST":
        indexes = tuple(msgspec.structs.replace(index, throughput=Throughput()) for index in indexes)
    throughput = schemas.billing(mode, request)
    schemas.check_index_billing(mode, indexes)
    since = now if mode == "PAY_PER_REQUEST" and table.billing != mode else table.pay_per_request_since
    return msgspec.structs.replace(
        table, billing=mode, throughput=throughput, indexes=indexes, pay_per_request_since=since
    )


def _with_index_updates(table: Table, request: Mapping[str, Any]) -> Table:
    updates = request.get("GlobalSecondaryIndexUpdates", ())
    if sum("Create" in update or "Delete" in update for update in updates) > 1:
        raise ServiceError(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        )
    for update in updates:
        if "Create" in update:
            table = _with_new_index(table, request, update["Create"])
        elif "Delete" in update:
            index = _global_index(table, update["Delete"]["IndexName"])
            table = _with_indexes(table, [other for other in table.indexes if other is not index])
        elif "Update" in update:
            table = _with_index_throughput(table, update["Update"])
    return table


def refuse_unimplemented(request: Mapping[str, Any]) -> None:
    """`InvalidError` for the parts of tables that Mayfly does not have."""
    for member in _NOT_IMPLEMENTED:
        if request.get(member):
            raise unsupported(f"{member} of tables")
    if request.get("StreamSpecification", {}).get("StreamEnabled"):
        raise unsupported("streams of tables (StreamSpecification)")
    if request.get("SSESpecification", {}).get("Enabled"):
        raise unsupported("encryption with a key of one's own (SSESpecification)")


def _with_indexes(table: Table, indexes: list[Index]) -> Table:
    return msgspec.structs.replace(table, indexes=tuple(indexes))


def _global_index(table: Table, name: str) -> Index:
    index = table.index(name)
    if index is None or not index.is_global:
        raise ServiceError("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")
    return index


def _with_new_index(table: Table, request: Mapping[str, Any], wanted: Mapping[str, Any]) -> Table:
    known = {
        attribute.name: {"AttributeName": attribute.name, "AttributeType": attribute.type}
        for attribute in table.attributes()
    }
    for definition in request.get("AttributeDefinitions", ()):
        before = known.setdefault(definition["AttributeName"], definition)
        if before["AttributeType"] != definition["AttributeType"]:
            raise InvalidError(
                "One or more parameter values were invalid: Attributes cannot be redefined. "
                f"Please check that your attribute has the same type as previously defined. "
                f"Existing schema: {before['AttributeName']}:{before['AttributeType']}"
            )
    if table.index(wanted["IndexName"]) is not None:
        raise InvalidError(
            "One or more parameter values were invalid: "
            f"Attempting to create an index which already exists: {wanted['IndexName']}"
        )
    made = schemas.index(wanted, schemas.Schema(list(known.values())), table.next_index_id, None)
    if sum(index.is_global for index in table.indexes) >= schemas.MAX_GLOBAL_INDEXES:
        raise ServiceError(
            "LimitExceededException",
            f"GlobalSecondaryIndex count exceeds the per-table limit of {schemas.MAX_GLOBAL_INDEXES}",
        )
    if table.billing == "PAY_PER_REQUEST" and made.throughput != Throughput():
        raise InvalidError(
            "One or more parameter values were invalid: ProvisionedThroughput should not be specified "
            f"for index: {made.name} when BillingMode is PAY_PER_REQUEST"
        )
    made = msgspec.structs.replace(made, backfilled=False)
    return msgspec.structs.replace(table, indexes=(*table.indexes, made), next_index_id=made.id + 1)


def _with_index_throughput(table: Table, wanted: Mapping[str, Any]) -> Table:
    index = _global_index(table, wanted["IndexName"])
    for refused in ("OnDemandThroughput", "WarmThroughput"):
        if refused in wanted:
            raise unsupported(f"{refused} of indexes")
    if "ProvisionedThroughput" not in wanted:
        return table
    changed = msgspec.structs.replace(index, throughput=schemas.throughput(wanted["ProvisionedThroughput"]))
    return _with_indexes(table, [changed if other is index else other for other in table.indexes])
