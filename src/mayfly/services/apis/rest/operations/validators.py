"""Request validators: whether a method's parameters, and its body, are checked."""

from collections.abc import Mapping
from typing import Any

import msgspec

from mayfly.services.apis.rest import faults, naming, paging, patching
from mayfly.services.apis.rest.editing import Editing
from mayfly.services.apis.rest.model import Api, Validator, shown
from mayfly.services.apis.rest.patching import boolean, scalar
from mayfly.services.contract import RequestContext, operation
from mayfly.store.api import Tx

RULES = (scalar("name"), scalar("validateRequestParameters", boolean), scalar("validateRequestBody", boolean))
_UNKNOWN = "Invalid Request Validator identifier specified"


class ValidatorOperations:
    """Handlers; see the module."""

    def __init__(self, editing: Editing) -> None:
        self._editing = editing

    @operation("CreateRequestValidator")
    async def create(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        made = Validator(
            id=naming.made_id(context, 6, "validator"),
            name=params.get("name") or "",
            validate_request_body=params.get("validateRequestBody", False),
            validate_request_parameters=params.get("validateRequestParameters", False),
        )

        def body(api: Api, tx: Tx) -> None:
            api.parts.validators[made.id] = made

        missing = faults.bad_request("Invalid REST API identifier specified")
        await self._editing.change(params["restApiId"], body, missing)
        return shown(made)

    @operation("GetRequestValidator")
    async def get(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        return shown(
            await self._editing.read(params["restApiId"], lambda api: _find(api, params), faults.not_found(_UNKNOWN))
        )

    @operation("GetRequestValidators")
    async def list(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        found = await self._editing.read(params["restApiId"], lambda api: sorted(api.parts.validators.items()))
        validators, more = paging.page(found, params)
        return {"items": [shown(one) for one in validators], **more}

    @operation("UpdateRequestValidator")
    async def update(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        asked = patching.patches(params)

        def body(api: Api, tx: Tx) -> Validator:
            members = msgspec.to_builtins(_find(api, params))
            patching.apply_chatty(members, RULES, asked)
            if not members["name"]:
                raise faults.bad_request("Request Validator name cannot be blank")
            changed = msgspec.convert(members, Validator)
            api.parts.validators[changed.id] = changed
            return changed

        return shown(await self._editing.change(params["restApiId"], body, faults.not_found(_UNKNOWN)))

    @operation("DeleteRequestValidator")
    async def delete(self, context: RequestContext, params: Mapping[str, Any]) -> dict[str, Any]:
        def body(api: Api, tx: Tx) -> None:
            found = _find(api, params)
            for resource in api.parts.resources.values():
                for verb, method in resource.methods.items():
                    if method.request_validator_id == found.id:
                        raise faults.conflict(
                            f"Cannot delete request validator '{found.id}', is referenced in method request: "
                            f"{resource.path}/{verb}"
                        )
            del api.parts.validators[found.id]

        await self._editing.change(params["restApiId"], body, faults.not_found(_UNKNOWN))
        return {}


def _find(api: Api, params: Mapping[str, Any]) -> Validator:
    found = api.parts.validators.get(params["requestValidatorId"])
    if found is None:
        raise faults.not_found(_UNKNOWN)
    return found
