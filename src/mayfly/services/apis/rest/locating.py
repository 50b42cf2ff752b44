"""Methods, integrations and responses by the ids in a request: found, or what AWS says where they are not; and put
back changed. Pure."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from mayfly.services.apis.rest import faults
from mayfly.services.apis.rest.editing import resource_of
from mayfly.services.apis.rest.model import Api, Integration, Method


def method_of(api: Api, params: Mapping[str, Any]) -> Method:
    found = resource_of(api, params["resourceId"]).methods.get(params["httpMethod"])
    if found is None:
        raise faults.no_such_method()
    return found


def integration_of(api: Api, params: Mapping[str, Any]) -> Integration:
    found = method_of(api, params).method_integration
    if found is None:
        raise faults.no_such_integration()
    return found


def put_method(api: Api, params: Mapping[str, Any], method: Method | None) -> None:
    """In place of the one that is there; None: delete it."""
    resource = resource_of(api, params["resourceId"])
    methods = {verb: one for verb, one in resource.methods.items() if verb != params["httpMethod"]}
    if method is not None:
        methods[params["httpMethod"]] = method
    api.parts.resources[resource.id] = replace(resource, methods=dict(sorted(methods.items())))


def put_integration(api: Api, params: Mapping[str, Any], integration: Integration | None) -> None:
    put_method(api, params, replace(method_of(api, params), method_integration=integration))
