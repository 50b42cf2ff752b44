"""Tags, by ARN, of whatever has some."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from mayfly.services.apis.rest import catalog, faults, plans
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader, Tx

MOST = 50
_PATH = re.compile(r"/(restapis|apikeys|usageplans|clientcertificates)/([^/]+)(?:/stages/([^/]+))?")
Tags = dict[str, str]


class TagOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("TagResource")
    async def tag(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        given = params["tags"]
        if any(key.lower().startswith("aws:") for key in given):
            raise faults.bad_request("Invalid tag key: aws: prefixed tag key names are not allowed for external use.")

        def change(tags: Tags) -> Tags:
            changed = {**tags, **given}
            if len(changed) > MOST:
                raise faults.bad_request(f"A resource can have at most {MOST} tags.")
            return changed

        await self._change(params["resourceArn"], change)
        return {}

    @operation("UntagResource")
    async def untag(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        gone = frozenset(params["tagKeys"])
        await self._change(
            params["resourceArn"], lambda tags: {key: value for key, value in tags.items() if key not in gone}
        )
        return {}

    @operation("GetTags")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.store.read(lambda reader: self._find(reader, params["resourceArn"]))
        return {"tags": found[0].tags or {}}

    async def _change(self, arn: str, change: Callable[[Tags], Tags]) -> None:
        def body(tx: Tx) -> None:
            found, put = self._find(tx, arn)
            put(tx, replace(found, tags=change(found.tags or {})))

        await self._editing.store.write(body)

    def _find(self, reader: Reader, arn: str) -> tuple[Any, Callable[[Tx, Any], None]]:
        """What an ARN names, and how it is put back changed; `ServiceError`."""
        pieces = arn.split(":", 5)
        match = _PATH.fullmatch(pieces[5]) if len(pieces) == 6 and pieces[2] == "apigateway" else None
        if match is None:
            raise faults.bad_request(f"Invalid ARN specified in the request: {arn}")
        kind, name, stage = match.groups()
        found: Any
        put: Callable[[Tx, Any], None]
        if kind == "restapis" and stage is not None:
            found, put = catalog.stage(reader, name, stage), lambda tx, one: catalog.put_stage(tx, name, one)
        elif kind == "restapis":
            found, put = catalog.head(reader, name), catalog.put_head
        elif kind == "apikeys":
            found, put = plans.key(reader, name), plans.change_key
        elif kind == "usageplans":
            found, put = plans.plan(reader, name), plans.put_plan
        else:
            found, put = catalog.certificate(reader, name), catalog.put_certificate
        if found is None:
            raise faults.not_found("Invalid resource ARN specified in the request")
        return found, put
