"""API keys: made, shown, imported from CSV, changed, deleted."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from mayfly import ids
from mayfly.clock import utc
from mayfly.services.apis.rest import faults, naming, paging, patching, plans
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.key_values import KeyValues
from mayfly.services.apis.rest.model import ApiKey, shown
from mayfly.services.apis.rest.operations.imports import content
from mayfly.services.apis.rest.patching import boolean, scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

MOST = 10_000
RULES = (scalar("description"), scalar("enabled", boolean), scalar("name"), scalar("customerId"))
_LEAST_VALUE, _MOST_VALUE = 20, 128
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class ApiKeyOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing, values: KeyValues, forget: Callable[[], None]) -> None:
        """`forget`: what is known of keys."""
        self._editing = editing
        self._values = values
        self._forget = forget

    @operation("CreateApiKey")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        now, value = self._editing.clock.now(), params.get("value") or ids.token(40, _ALPHABET)
        made = ApiKey(
            id=naming.made_id(context, 10, "key"),
            enabled=params.get("enabled", False),
            created_at=now,
            updated_at=now,
            name=params.get("name") or None,
            description=params.get("description"),
            customer_id=params.get("customerId"),
            stage_keys=[f"{one['restApiId']}/{one['stageName']}" for one in params.get("stageKeys") or ()],
            tags=params.get("tags"),
        )
        _check(made)
        _check_value(value)
        if params.get("generateDistinctId") is False and context.once is None:
            made = replace(made, id=value[:10].lower() if value[:10].isalnum() else made.id)

        def body(tx: Tx) -> dict[str, Any]:
            if context.once is not None and (before := plans.key(tx, made.id)) is not None:
                return described(before, self._values.of(tx, before.id))
            self._insert(tx, made, value)
            return described(made, value)

        return await self._editing.store.write(body)

    @operation("GetApiKey")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        valued = params.get("includeValue", False)

        def body(reader: Reader) -> dict[str, Any]:
            return self._shown(reader, find(reader, params["apiKey"]), valued)

        return {"tags": {}, **await self._editing.store.read(body)}

    @operation("GetApiKeys")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        prefix, customer = params.get("nameQuery"), params.get("customerId")
        valued = params.get("includeValues", False)

        def body(reader: Reader) -> dict[str, Any]:
            kept = [
                (f"{number:06d}", one)
                for number, one in enumerate(plans.keys(reader, MOST))
                if (prefix is None or (one.name or "").startswith(prefix)) and customer in (None, one.customer_id)
            ]
            keys, more = paging.page(kept, params)
            return {"items": [self._shown(reader, one, valued) for one in keys], **more}

        return await self._editing.store.read(body)

    @operation("UpdateApiKey")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked, now = patching.patches(params), self._editing.clock.now()

        def body(tx: Tx) -> ApiKey:
            members = msgspec.to_builtins(find(tx, params["apiKey"]))
            patching.apply_chatty(members, RULES, asked)
            changed = replace(msgspec.convert(members, ApiKey), updated_at=now)
            _check(changed)
            plans.change_key(tx, changed)
            tx.after_commit(self._forget)
            return changed

        return {"tags": {}, **described(await self._editing.store.write(body))}

    @operation("DeleteApiKey")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(tx: Tx) -> None:
            find(tx, params["apiKey"])
            plans.delete_key(tx, params["apiKey"])
            tx.after_commit(self._forget)

        await self._editing.store.write(body)
        return {}

    @operation("ImportApiKeys")
    async def import_keys(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """Of CSV with the columns name, key, description, enabled and usageplanIds."""
        rows = _rows((await content(params["body"])).decode("utf-8-sig", "replace"))
        now = self._editing.clock.now()

        def body(tx: Tx) -> tuple[list[str], list[str]]:
            made, warnings = [], list[str]()
            for row in rows:
                value = row.get("key") or ""
                key = ApiKey(
                    id=ids.token(10),
                    enabled=(row.get("enabled") or "true").lower() == "true",
                    created_at=now,
                    updated_at=now,
                    name=row.get("name") or None,
                    description=row.get("description") or None,
                )
                _check(key)
                _check_value(value)
                if self._values.key_of(tx, value) is not None:
                    warnings.append(f"API Key {key.name} exists already")
                    continue
                self._insert(tx, key, value)
                made.append(key.id)
                for plan_id in (row.get("usageplanids") or "").split(","):
                    if plan_id.strip() and plans.plan(tx, plan_id.strip()) is None:
                        warnings.append(f"Invalid usage plan ID specified: {plan_id.strip()}")
                    elif plan_id.strip():
                        plans.add_key(tx, plan_id.strip(), key.id)
            if warnings and params.get("failOnWarnings"):
                raise faults.bad_request(f"Failed to import API keys: {'; '.join(warnings)}")
            return made, warnings

        found, warnings = await self._editing.store.write(body)
        return {"ids": found, "warnings": warnings}

    def _shown(self, reader: Reader, key: ApiKey, valued: bool) -> dict[str, Any]:
        return described(key, self._values.of(reader, key.id) if valued else None)

    def _insert(self, tx: Tx, key: ApiKey, value: str) -> None:
        if self._values.key_of(tx, value) is not None or plans.key(tx, key.id) is not None:
            raise faults.conflict("API Key already exists")
        if len(plans.keys(tx, MOST)) >= MOST:
            raise faults.too_many(f"Maximum number of API keys has been reached: {MOST}")
        self._values.insert(tx, key, value)
        tx.after_commit(self._forget)


def _rows(text: str) -> list[dict[str, str]]:
    """Of a CSV with a header, whose names are case-insensitive."""
    reader = csv.DictReader(io.StringIO(text))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if "key" not in names or "name" not in names:
        raise faults.bad_request("Unable to import API keys: the file needs the columns name and key.")
    return [{str(name).strip().lower(): (value or "").strip() for name, value in row.items()} for row in reader]


def find(reader: Reader, key_id: str) -> ApiKey:
    found = plans.key(reader, key_id)
    if found is None:
        raise faults.not_found("Invalid API Key identifier specified")
    return found


def _check(key: ApiKey) -> None:
    if len(key.name or "") > 1024:
        raise faults.bad_request("Invalid API Key name, can be at most 1024 characters.")
    if len(key.description or "") > 10_240:
        raise faults.bad_request("Invalid API Key description specified.")


def _check_value(value: str) -> None:
    if len(value) < _LEAST_VALUE:
        raise faults.bad_request(f"API Key value should be at least {_LEAST_VALUE} characters")
    if len(value) > _MOST_VALUE:
        raise faults.bad_request(f"API Key value exceeds maximum size of {_MOST_VALUE} characters")


def described(key: ApiKey, value: str | None = None) -> dict[str, Any]:
    """A key as replies have it; `value` None: without."""
    members = shown(key, "createdAt", "updatedAt")
    members |= {"stageKeys": key.stage_keys} if value is None else {"stageKeys": key.stage_keys, "value": value}
    return {**members, "createdDate": utc(key.created_at), "lastUpdatedDate": utc(key.updated_at)}
