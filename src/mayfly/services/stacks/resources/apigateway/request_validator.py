"""AWS::ApiGateway::RequestValidator: whether parameters and bodies of methods are checked."""

from collections.abc import Mapping
from typing import Any

from mayfly.services.stacks.resources.apigateway.patches import GONE, scalars
from mayfly.services.stacks.resources.base import Caller, Made, Target
from mayfly.services.stacks.resources.named import Unnamed
from mayfly.services.stacks.resources.reading import observed
from mayfly.services.stacks.resources.schema import BOOLEAN, STRING, fields

_FLAGS = {
    "ValidateRequestBody": "/validateRequestBody",
    "ValidateRequestParameters": "/validateRequestParameters",
}


class RequestValidator(Unnamed):
    name = "AWS::ApiGateway::RequestValidator"
    schema = fields(
        "RestApiId", Name=STRING, RestApiId=STRING, ValidateRequestBody=BOOLEAN, ValidateRequestParameters=BOOLEAN
    )
    replaced_by = frozenset({"Name", "RestApiId"})
    attributes = frozenset({"RequestValidatorId"})

    async def create(self, call: Caller, target: Target, properties: Mapping[str, Any]) -> Made:
        made = await call.once(
            target,
            "apigateway",
            "CreateRequestValidator",
            restApiId=properties["RestApiId"],
            name=properties.get("Name", target.logical_id),
            validateRequestBody=properties.get("ValidateRequestBody", False),
            validateRequestParameters=properties.get("ValidateRequestParameters", False),
        )
        return Made(made["id"], {"RequestValidatorId": made["id"]})

    async def update(
        self, call: Caller, target: Target, made: Made, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> Made:
        if patches := scalars(old, new, _FLAGS, dict.fromkeys(_FLAGS, "false")):
            await call("apigateway", "UpdateRequestValidator", **_where(made, new), patchOperations=patches)
        return made

    async def delete(self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]) -> None:
        await call.unless(GONE, "apigateway", "DeleteRequestValidator", **_where(made, properties))

    async def read(
        self, call: Caller, target: Target, made: Made, properties: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        found = await call.unless(GONE, "apigateway", "GetRequestValidator", **_where(made, properties))
        if found is None:
            return None
        truth = {name: found[path[1:]] for name, path in _FLAGS.items()}
        return observed(properties, truth, "Name", "RestApiId", defaults=dict.fromkeys(_FLAGS, False))


def _where(made: Made, properties: Mapping[str, Any]) -> dict[str, str]:
    return {"restApiId": properties["RestApiId"], "requestValidatorId": made.physical_id}
