"""Gateway responses: what an API answers by itself, customised."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.apis.rest import faults, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, GatewayResponse, Parts
from mayfly.services.apis.rest.patching import Patch, Rule
from mayfly.services.apis.rest.serving.refusals import TEMPLATE, TYPES
from mayfly.services.contract import RequestContext, ServiceError, operation
from mayfly.store.api import Tx


class GatewayResponseOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("PutGatewayResponse")
    async def put(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        kind = params["responseType"]
        made = GatewayResponse(
            response_type=kind,
            status_code=params.get("statusCode"),
            response_parameters=params.get("responseParameters") or {},
            response_templates=params.get("responseTemplates") or {},
        )
        _check(made)

        def body(api: Api, tx: Tx) -> dict[str, Any]:
            api.parts.gateway_responses[kind] = made
            return described(api.parts, kind)

        return await self._editing.change(params["restApiId"], body)

    @operation("GetGatewayResponse")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return await self._editing.read(params["restApiId"], lambda api: described(api.parts, params["responseType"]))

    @operation("GetGatewayResponses")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api) -> list[tuple[str, dict[str, Any]]]:
            return [(kind, described(api.parts, kind)) for kind in sorted(TYPES)]

        found, more = paging.page(await self._editing.read(params["restApiId"], body), params)
        return {"items": found, **more}

    @operation("UpdateGatewayResponse")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked, kind = patching.patches(params), params["responseType"]

        def body(api: Api, tx: Tx) -> dict[str, Any]:
            before = api.parts.gateway_responses.get(kind) or GatewayResponse(response_type=kind)
            members = msgspec.to_builtins(before)
            patching.apply_curt(members, RULES, asked)
            changed = msgspec.convert({name: one for name, one in members.items() if one is not None}, GatewayResponse)
            _check(changed)
            api.parts.gateway_responses[kind] = changed
            return described(api.parts, kind)

        return await self._editing.change(params["restApiId"], body)

    @operation("DeleteGatewayResponse")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            if api.parts.gateway_responses.pop(params["responseType"], None) is None:
                raise faults.not_found("Gateway response type not defined on api")

        await self._editing.change(params["restApiId"], body)
        return {}


def described(parts: Parts, kind: str) -> dict[str, Any]:
    """One that was put, or what it is by itself: its family's, where that was put."""
    own = parts.gateway_responses.get(kind)
    usual = TYPES[kind].status
    chosen = own
    if own is None and usual is not None:
        chosen = parts.gateway_responses.get("DEFAULT_4XX" if usual < 500 else "DEFAULT_5XX")
    shown: dict[str, Any] = {"responseType": kind, "defaultResponse": own is None}
    status = (chosen.status_code if chosen is not None else None) or (str(usual) if usual is not None else None)
    if status is not None:
        shown["statusCode"] = status
    shown["responseParameters"] = chosen.response_parameters if chosen is not None else {}
    templates = chosen.response_templates if chosen is not None else None
    shown["responseTemplates"] = templates or {"application/json": TEMPLATE}
    return shown


def _check(value: GatewayResponse) -> None:
    for name, said in value.response_parameters.items():
        if not name.startswith("gatewayresponse.header.") or not said:
            raise _bad_parameter(name if said else said)
    if any(not text for text in value.response_templates.values()):
        raise faults.bad_request("Invalid null or empty value in responseTemplates")


def _bad_parameter(name: str) -> ServiceError:
    if not name:
        return faults.bad_request("Invalid null or empty value in responseParameters")
    return faults.bad_request(f"Invalid mapping expression parameter specified: {name}")


def _entry(member: str) -> Rule:
    def apply(members: dict[str, Any], patch: Patch) -> None:
        held, key = dict(members.get(member) or {}), patch.names[1]
        if patch.op == "remove" or patch.op == "replace":
            if key not in held:
                raise faults.not_found("Invalid parameter name specified")
            held.pop(key)
        if patch.op != "remove":
            if not patch.value:
                raise faults.bad_request(f"Invalid null or empty value in {member}")
            held[key] = patch.value
        members[member] = held

    return Rule(f"/{member}/*", frozenset({"add", "remove", "replace"}), apply)


def _status(members: dict[str, Any], patch: Patch) -> None:
    if patch.op != "replace":
        raise faults.bad_request("Invalid patch path /statusCode")
    members["statusCode"] = patch.value


RULES = (
    Rule("/statusCode", frozenset({"add", "remove", "replace"}), _status),
    _entry("responseParameters"),
    _entry("responseTemplates"),
)
