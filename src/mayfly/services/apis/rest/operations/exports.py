"""Stages as OpenAPI documents."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from mayfly.services.apis.parts import PATH
from mayfly.services.apis.rest import catalog, faults
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api
from mayfly.services.apis.rest.openapi.writing import AUTHORIZERS, EVERYTHING, INTEGRATIONS, Writing
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Reader

_KINDS = {"oas30": True, "swagger": False}
_YAML = ("application/yaml", "application/x-yaml")


class ExportOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("GetExport")
    async def export(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        """What a stage serves. Extensions as `parameters={"extensions": "apigateway"}` asks for them."""
        api_id, name, kind = params["restApiId"], params["stageName"], params["exportType"]
        accepts = (params.get("accepts") or "application/json").strip()
        if accepts not in (*_YAML, "application/json"):
            raise faults.bad_request(f"Invalid content type: {accepts}")
        asked = _extensions((params.get("parameters") or {}).get("extensions", ""))

        def body(reader: Reader) -> Api:
            stage = catalog.stage(reader, api_id, name)
            api = catalog.deployed(reader, api_id, stage.deployment_id) if stage is not None else None
            if api is None:
                raise faults.no_such_stage()
            return api

        api = await self._editing.store.read(body)
        if kind not in _KINDS:
            raise faults.bad_request(f"No API exporter for type '{kind}'")
        url = f"{context.endpoint}{PATH}{api_id}"
        document = Writing(api, url, name, asked, is_3=_KINDS[kind]).document()
        if accepts in _YAML:
            text, ending = yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "yaml"
        else:
            text, ending = json.dumps(document, indent=2), "json"
        version = (api.head.version or "1.0").replace('"', "").replace("\n", " ")
        return {
            "contentType": accepts,
            "contentDisposition": f'attachment; filename="{kind}_{version}.{ending}"',
            "body": text.encode(),
        }


def _extensions(text: str) -> set[str]:
    found = {one.strip() for one in text.split(",") if one.strip()}
    if unknown := found - {INTEGRATIONS, AUTHORIZERS, EVERYTHING, "documentation", "validators", "gatewayresponses"}:
        raise faults.bad_request(
            f"Mayfly exports the extensions apigateway, integrations and authorizers, not {min(unknown)}."
        )
    return found
