"""Rules: put, describe, list, enable, disable, delete, and the test of a pattern."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.matching.errors import PatternError
from mayfly.matching.pattern import Pattern, compile_pattern
from mayfly.services.contract import RequestContext, operation
from mayfly.services.events import errors, paging, records
from mayfly.services.events import statements as sql
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import DEFAULT_BUS, BusKey, Rule, RuleState
from mayfly.services.events.names import bus_key
from mayfly.services.events.operations.tags import checked_tags
from mayfly.services.events.scheduled import tick_key
from mayfly.services.ports import Ticker
from mayfly.settings import EventLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


def checked_pattern(text: str) -> Pattern:
    """InvalidEventPatternException."""
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise errors.invalid_pattern(error.reason) from None


class RuleOperations:
    """What is put replaces what was there; the targets of a rule stay."""

    def __init__(self, store: Store, catalog: Catalog, ticker: Ticker, limits: EventLimits) -> None:
        self._store = store
        self._catalog = catalog
        self._ticker = ticker
        self._limits = limits

    @operation("PutRule")
    async def put(self, context: RequestContext, request: "events.PutRuleRequestTypeDef") -> dict[str, Any]:
        key = bus_key(context, request.get("EventBusName"))
        self._check(key, request)
        tags = checked_tags(request.get("Tags", ()))
        rule = Rule(
            name=request["Name"],
            created_by=context.account,
            state=request.get("State", "ENABLED"),
            pattern=request.get("EventPattern") or None,
            schedule=request.get("ScheduleExpression") or None,
            description=request.get("Description"),
            role_arn=request.get("RoleArn"),
        )

        def body(tx: Tx) -> None:
            records.bus_of(tx, key)
            before = records.find_rule(tx, key, rule.name)
            if before is None:
                row = tx.one(sql.COUNT_RULES, records.params(key))
                if row is not None and row[0] >= self._limits.rules_per_bus:
                    raise errors.limit()
                records.put_tags(tx, key.rule_arn(rule.name), tags)
            elif before.managed_by is not None:
                raise errors.managed(rule.name, before.managed_by)
            self._put(tx, key, rule)

        await self._store.write(body)
        return {"RuleArn": key.rule_arn(rule.name)}

    @operation("DescribeRule")
    async def describe(self, context: RequestContext, request: "events.DescribeRuleRequestTypeDef") -> dict[str, Any]:
        key = bus_key(context, request.get("EventBusName"))
        rule = await self._store.read(lambda reader: records.rule_of(reader, key, request["Name"]))
        return {**_shown(key, rule), "CreatedBy": rule.created_by}

    @operation("ListRules")
    async def list_rules(self, context: RequestContext, request: "events.ListRulesRequestTypeDef") -> dict[str, Any]:
        key, after, most = bus_key(context, request.get("EventBusName")), paging.after(request), paging.limit(request)

        def body(reader: Reader) -> list[Rule]:
            records.bus_of(reader, key)
            return records.list_rules(reader, key, after, request.get("NamePrefix", ""), most)

        page, more = paging.cut(await self._store.read(body), most, lambda rule: rule.name)
        return {"Rules": [_shown(key, rule) for rule in page], **more}

    @operation("EnableRule")
    async def enable(self, context: RequestContext, request: "events.EnableRuleRequestTypeDef") -> dict[str, Any]:
        return await self._turn(context, request, "ENABLED")

    @operation("DisableRule")
    async def disable(self, context: RequestContext, request: "events.DisableRuleRequestTypeDef") -> dict[str, Any]:
        return await self._turn(context, request, "DISABLED")

    @operation("DeleteRule")
    async def delete(self, context: RequestContext, request: "events.DeleteRuleRequestTypeDef") -> dict[str, Any]:
        key, name = bus_key(context, request.get("EventBusName")), request["Name"]

        def body(tx: Tx) -> None:
            rule = records.rule_of(tx, key, name)
            if rule.managed_by is not None and not request.get("Force", False):
                raise errors.managed(name, rule.managed_by)
            if records.targets_of(tx, key, name):
                raise errors.invalid("Rule can't be deleted since it has targets.")
            tx.run(sql.DELETE_RULE, {**records.params(key), "name": name})
            tx.run(sql.DELETE_TAGS, {"arn": key.rule_arn(name)})
            self._ticker.remove(tx, tick_key(key, name))
            tx.after_commit(lambda: self._catalog.changed(key, lambda loaded: loaded.drop_rule(name)))

        await self._store.write(body)
        return {}

    @operation("TestEventPattern")
    async def test(self, context: RequestContext, request: "events.TestEventPatternRequestTypeDef") -> dict[str, Any]:
        pattern = checked_pattern(request["EventPattern"])
        try:
            event = msgspec.json.decode(request["Event"])
        except (msgspec.DecodeError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise errors.invalid("Parameter Event is not valid.")
        return {"Result": pattern.matches(event)}

    def _check(self, key: BusKey, request: Mapping[str, Any]) -> None:
        """What can be said against a rule without looking anything up."""
        pattern, schedule = request.get("EventPattern"), request.get("ScheduleExpression")
        if not pattern and not schedule:
            raise errors.invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if schedule:
            if key.name != DEFAULT_BUS:
                raise errors.invalid("ScheduleExpression is supported only on the default event bus.")
            try:
                self._ticker.check(schedule)
            except ValueError:
                raise errors.invalid("Parameter ScheduleExpression is not valid.") from None
        if pattern:
            checked_pattern(pattern)

    async def _turn(self, context: RequestContext, request: Mapping[str, Any], state: RuleState) -> dict[str, Any]:
        key = bus_key(context, request.get("EventBusName"))

        def body(tx: Tx) -> None:
            rule = records.rule_of(tx, key, request["Name"])
            if rule.managed_by is not None:
                raise errors.managed(rule.name, rule.managed_by)
            self._put(tx, key, msgspec.structs.replace(rule, state=state))

        await self._store.write(body)
        return {}

    def _put(self, tx: Tx, key: BusKey, rule: Rule) -> None:
        """Write a rule down, let it tick or not, and tell the catalog once that is durable."""
        records.put_rule(tx, key, rule)
        if rule.schedule is not None and rule.enabled:
            self._ticker.put(tx, tick_key(key, rule.name), rule.schedule)
        elif key.name == DEFAULT_BUS:
            self._ticker.remove(tx, tick_key(key, rule.name))
        targets = records.targets_of(tx, key, rule.name)
        tx.after_commit(lambda: self._catalog.changed(key, lambda loaded: loaded.set_rule(key, rule, targets)))


def _shown(key: BusKey, rule: Rule) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Name": rule.name,
        "Arn": key.rule_arn(rule.name),
        "State": rule.state,
        "EventBusName": key.name,
    }
    more = {
        "EventPattern": rule.pattern,
        "ScheduleExpression": rule.schedule,
        "Description": rule.description,
        "RoleArn": rule.role_arn,
        "ManagedBy": rule.managed_by,
    }
    return shown | {name: value for name, value in more.items() if value is not None}
