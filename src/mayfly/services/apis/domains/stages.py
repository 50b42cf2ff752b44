"""Whether there is the stage of an API that a mapping names, whatever kind of API it is."""

from mayfly.services.apis.directory import Directory
from mayfly.services.apis.domains import faults
from mayfly.services.contract import RequestContext, ServiceError
from mayfly.services.ports import SdkOperations


class Stages:
    """Asks the operations of the API's kind."""

    def __init__(self, directory: Directory, operations: SdkOperations) -> None:
        self._directory = directory
        self._operations = operations

    async def check(self, context: RequestContext, api_id: str, stage: str) -> None:
        """NotFoundException or BadRequestException unless it is there. An empty stage is any."""
        kind = self._directory.kind(api_id)
        if kind is None:
            raise ServiceError("NotFoundException", f"Invalid API identifier specified {api_id}", status=404)
        if not stage:
            return
        service, id_name, stage_name = ("apigatewayv2", "ApiId", "StageName")
        if kind == "rest":
            service, id_name, stage_name = ("apigateway", "restApiId", "stageName")
        try:
            await self._operations.call_json(context, service, "GetStage", {id_name: api_id, stage_name: stage})
        except ServiceError as error:
            if error.code == "NotFoundException":
                raise faults.bad("Invalid stage identifier specified") from error
            raise
