"""Targets of rules: put, remove, list, and the rules of a target."""

from typing import TYPE_CHECKING, Any

from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.services.events import errors, paging, records, targets
from mayfly.services.events import statements as sql
from mayfly.services.events.catalog import Catalog
from mayfly.services.events.model import PRINCIPAL, BusKey, Rule, Target
from mayfly.services.events.names import bus_key
from mayfly.services.ports import EventTargets
from mayfly.settings import EventLimits
from mayfly.store.api import Reader, Store, Tx

if TYPE_CHECKING:
    from types_boto3_events import type_defs as events


class TargetOperations:
    """Targets need not exist when they are put; what cannot be a target here at all is refused."""

    def __init__(self, store: Store, catalog: Catalog, known: EventTargets, limits: EventLimits) -> None:
        self._store = store
        self._catalog = catalog
        self._known = known
        self._limits = limits

    @operation("PutTargets")
    async def put(self, context: RequestContext, request: "events.PutTargetsRequestTypeDef") -> dict[str, Any]:
        key, name = bus_key(context, request.get("EventBusName")), request["Rule"]
        wanted = {one["Id"]: targets.target_of(one) for one in request["Targets"]}
        await self._store.read(lambda reader: records.rule_of(reader, key, name))
        for target in wanted.values():
            await self._check_kind(context, key.rule_arn(name), target)

        def body(tx: Tx) -> None:
            rule = records.rule_of(tx, key, name)
            if rule.managed_by is not None:
                raise errors.managed(name, rule.managed_by)
            records.put_targets(tx, key, name, wanted.values())
            if len(self._tell(tx, key, rule)) > self._limits.targets_per_rule:
                raise errors.limit()

        await self._store.write(body)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @operation("RemoveTargets")
    async def remove(self, context: RequestContext, request: "events.RemoveTargetsRequestTypeDef") -> dict[str, Any]:
        key, name = bus_key(context, request.get("EventBusName")), request["Rule"]

        def body(tx: Tx) -> list[str]:
            rule = records.rule_of(tx, key, name)
            if rule.managed_by is not None and not request.get("Force", False):
                raise errors.managed(name, rule.managed_by)
            where = {**records.params(key), "rule": name}
            missing = [id_ for id_ in request["Ids"] if not tx.run(sql.DELETE_TARGET, {**where, "id": id_})]
            self._tell(tx, key, rule)
            return missing

        failed = [
            {
                "TargetId": id_,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {name} does not have a target with the Id {id_}.",
            }
            for id_ in await self._store.write(body)
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    @operation("ListTargetsByRule")
    async def list_targets(
        self, context: RequestContext, request: "events.ListTargetsByRuleRequestTypeDef"
    ) -> dict[str, Any]:
        key, after, most = bus_key(context, request.get("EventBusName")), paging.after(request), paging.limit(request)

        def body(reader: Reader) -> list[Target]:
            records.rule_of(reader, key, request["Rule"])
            return records.list_targets(reader, key, request["Rule"], after, most)

        page, more = paging.cut(await self._store.read(body), most, lambda target: target.id)
        return {"Targets": [targets.shown(target) for target in page], **more}

    @operation("ListRuleNamesByTarget")
    async def list_rules(
        self, context: RequestContext, request: "events.ListRuleNamesByTargetRequestTypeDef"
    ) -> dict[str, Any]:
        key, after, most = bus_key(context, request.get("EventBusName")), paging.after(request), paging.limit(request)

        def body(reader: Reader) -> list[str]:
            records.bus_of(reader, key)
            where = {**records.params(key), "arn": request["TargetArn"], "after": after, "limit": most + 1}
            return [rule for (rule,) in reader.all(sql.RULES_BY_TARGET, where)]

        page, more = paging.cut(await self._store.read(body), most, str)
        return {"RuleNames": page, **more}

    async def _check_kind(self, context: RequestContext, rule_arn: str, target: Target) -> None:
        """ValidationException when nothing here is of the target's kind."""
        try:
            await self._known.check(target.arn, PRINCIPAL, rule_arn, context.account)
        except ServiceError as refusal:
            if targets.is_absent_service(refusal):
                raise errors.invalid(
                    f"Parameter Arn of target {target.id} is not valid. Reason: {refusal.message}"
                ) from refusal

    def _tell(self, tx: Tx, key: BusKey, rule: Rule) -> tuple[Target, ...]:
        """Have the catalog know the targets that the rule has now."""
        now = records.targets_of(tx, key, rule.name)
        tx.after_commit(lambda: self._catalog.changed(key, lambda loaded: loaded.set_rule(key, rule, now)))
        return now
