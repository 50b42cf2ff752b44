"""Exports and who imports them: ListExports, ListImports."""

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from mayfly.services.contract import RequestContext, operation
from mayfly.services.stacks import exports, statements
from mayfly.services.stacks.faults import validation
from mayfly.services.stacks.sealing import Store

if TYPE_CHECKING:
    from types_boto3_cloudformation.type_defs import ListExportsInputTypeDef, ListImportsInputTypeDef

_PAGE = 100


class ExportingOperations:
    def __init__(self, store: Store) -> None:
        self._store = store

    @operation("ListExports")
    async def exports(self, context: RequestContext, params: "ListExportsInputTypeDef") -> dict[str, Any]:
        (after,) = _opened(params.get("NextToken"), 1)
        rows = await self._store.read(lambda reader: exports.listed(reader, context, after, _PAGE + 1))
        shown = [{"Name": name, "ExportingStackId": stack_id, "Value": value} for name, stack_id, value in rows]
        return {"Exports": shown[:_PAGE], **_more([(row[0],) for row in rows])}

    @operation("ListImports")
    async def imports(self, context: RequestContext, params: "ListImportsInputTypeDef") -> dict[str, Any]:
        token, name = params.get("NextToken"), params["ExportName"]
        after_name, after_id = _opened(token, 2)
        bounds = {
            "account": context.account,
            "region": context.region,
            "name": name,
            "after_name": after_name,
            "after_id": after_id,
            "limit": _PAGE + 1,
        }
        rows = await self._store.read(lambda reader: reader.all(statements.IMPORTERS_PAGE, bounds))
        if not rows and token is None:
            raise validation(f"Export '{name}' is not imported by any stack.")
        return {"Imports": [stack for stack, _ in rows[:_PAGE]], **_more([(stack, key) for stack, key in rows])}


def _more(rows: list[tuple[str, ...]]) -> dict[str, str]:
    if len(rows) <= _PAGE:
        return {}
    return {"NextToken": base64.urlsafe_b64encode(msgspec.json.encode(rows[_PAGE - 1])).decode()}


def _opened(token: str | None, length: int) -> list[str]:
    if token is None:
        return [""] * length
    try:
        found = msgspec.json.decode(base64.b64decode(token.encode(), altchars=b"-_", validate=True), type=list[str])
    except (binascii.Error, ValueError) as error:
        raise validation("Invalid NextToken.") from error
    if len(found) != length:
        raise validation("Invalid NextToken.")
    return found
