"""Functions as resources: create, get, list, configure, delete."""

from typing import TYPE_CHECKING

import msgspec

from mayfly import ids
from mayfly.services.contract import RequestContext, operation
from mayfly.services.functions import describe, faults, runtimes, validation
from mayfly.services.functions.fitness import Fitness
from mayfly.services.functions.inside import Inside
from mayfly.services.functions.layers import attaching
from mayfly.services.functions.layers.attaching import Attaching
from mayfly.services.functions.model import LATEST, Configuration, Function, Version
from mayfly.services.functions.names import MAX_NAME
from mayfly.services.functions.parts import Parts
from mayfly.services.functions.publishing import CREATING, Publishing, check_settled
from mayfly.services.functions.roles import RoleCheck
from mayfly.services.functions.signing import repository as signing_repository
from mayfly.services.functions.signing.checking import refuse_for_image
from mayfly.store.api import Tx

if TYPE_CHECKING:
    from types_boto3_lambda.type_defs import (
        CreateFunctionRequestTypeDef,
        DeleteFunctionRequestTypeDef,
        FunctionConfigurationTypeDef,
        GetFunctionConfigurationRequestTypeDef,
        GetFunctionRequestTypeDef,
        ListFunctionsRequestTypeDef,
        UpdateFunctionConfigurationRequestTypeDef,
    )

# A page holds 50 at most, whatever MaxItems says.
_PAGE = 50


class FunctionOperations:
    """Handlers; see the module."""

    def __init__(self, parts: Parts, inside: Inside) -> None:
        self._home = parts.home
        self._limits = parts.settings.limits
        self._clock = parts.clock
        self._editor = parts.stock.editor
        self._publisher = parts.stock.publisher
        self._settler = parts.stock.settler
        self._sources = parts.code.sources
        self._links = parts.code.links
        self._preparing = parts.code.preparing
        self._signing = parts.signing
        self._providers = parts.providers
        self._roles = RoleCheck(parts.roles, parts.home)
        self._layers = Attaching(parts.store, parts.home)
        self._choose = inside.choose
        self._host = inside.host
        self._levels = inside.levels
        self._egress = inside.egress
        self._fitness = Fitness(inside.levels, inside.choose)
        self._destinations = inside.asynchronous.destinations

    @operation("CreateFunction")
    async def create(
        self, context: RequestContext, params: "CreateFunctionRequestTypeDef"
    ) -> "FunctionConfigurationTypeDef":
        name = self._home.unqualified(params["FunctionName"])
        if len(name) > MAX_NAME:
            raise faults.invalid_parameter(
                f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_NAME}"
            )
        configuration = attaching.applied(
            validation.new_configuration(params, self._limits, self._host), await self._layers.asked(params, context)
        )
        tags = validation.tags(params.get("Tags", {}))
        if (configuration.package == "Image") != ("ImageUri" in params["Code"]):
            raise faults.invalid_parameter("Please provide a source for function code.")
        await self._levels.check(tags)
        self._egress.of(tags, configuration.runtime)
        choice = await self._check_outside(name, configuration)
        arn = params.get("CodeSigningConfigArn")
        if arn and configuration.package == "Image":
            raise refuse_for_image()

        def sign(tx: Tx) -> None:
            if arn:
                config = self._signing.named(tx, arn)
                self._signing.deployed(tx, name, config)
                signing_repository.bind(tx, name, config)

        async with self._sources.ingest(params["Code"]) as code:
            attaching.check_size(code, configuration, self._limits)
            if choice is not None:
                await self._preparing.arrived(code.sha256, choice, configuration, tags)
            function = Function(
                name=name,
                configuration=configuration,
                code=code,
                revision_id=ids.request_id(),
                deployment_id=ids.token(16),
                modified_at=self._clock.now(),
                tags=tags,
            )
            if code.image is not None:
                function = msgspec.structs.replace(
                    function, state="Pending", state_reason=CREATING, state_reason_code="Creating"
                )
            version = await self._editor.create(function, Publishing() if params.get("Publish") else None, sign)
        if function.awaited is not None:
            self._settler.expect(name)
        return describe.configuration(version or function, self._home)

    @operation("GetFunction")
    async def get(self, context: RequestContext, params: "GetFunctionRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        found = await self._editor.resolve(reference)
        function = found.function
        unfit = await self._fitness.of(function, found.runs)
        reply: dict[str, object] = {
            "Configuration": describe.configuration(found.runs, self._home, qualifier=reference.qualifier, unfit=unfit),
            "Code": self._location(context, found.runs),
        }
        if function.tags:
            reply["Tags"] = dict(function.tags)
        if function.reserved_concurrency is not None:
            reply["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return reply

    def _location(self, context: RequestContext, runs: Function | Version) -> dict[str, str]:
        """Where the code is: a link to a package, the name of an image."""
        code = (runs.awaited if isinstance(runs, Function) else None) or runs.code
        if code.image is not None:
            return {"RepositoryType": "ECR", "ImageUri": code.image.uri, "ResolvedImageUri": code.image.pinned}
        return {"RepositoryType": "S3", "Location": self._links.link(context.endpoint, code.sha256, code.size)}

    @operation("GetFunctionConfiguration")
    async def get_configuration(
        self, context: RequestContext, params: "GetFunctionConfigurationRequestTypeDef"
    ) -> "FunctionConfigurationTypeDef":
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        found = await self._editor.resolve(reference)
        unfit = await self._fitness.of(found.function, found.runs)
        return describe.configuration(found.runs, self._home, qualifier=reference.qualifier, unfit=unfit)

    @operation("ListFunctions")
    async def list(self, context: RequestContext, params: "ListFunctionsRequestTypeDef") -> dict[str, object]:
        if params.get("MasterRegion", "ALL") not in ("ALL", self._home.region):
            return {"Functions": []}
        limit = min(params.get("MaxItems", _PAGE), _PAGE)
        if params.get("FunctionVersion") == "ALL":
            return await self._list_versions(params.get("Marker", ""), limit)
        found, following = await self._editor.page(params.get("Marker", ""), limit)
        shown = [describe.listed(function, self._home) for function in found]
        return {"Functions": shown} | ({"NextMarker": following} if following else {})

    async def _list_versions(self, marker: str, limit: int) -> dict[str, object]:
        """Every version of every function; a marker names the last one of the page before."""
        name, _, number = marker.partition(":")
        after = (name, int(number)) if number.isdecimal() and len(number) < 19 else (name, 0 if name else -1)
        found, following = await self._editor.page_of_versions(*after, limit)
        shown = [
            describe.listed(each, self._home, qualifier=each.label if isinstance(each, Version) else LATEST)
            for each in found
        ]
        return {"Functions": shown} | ({"NextMarker": following} if following else {})

    @operation("UpdateFunctionConfiguration")
    async def update_configuration(
        self, context: RequestContext, params: "UpdateFunctionConfigurationRequestTypeDef"
    ) -> "FunctionConfigurationTypeDef":
        name = self._home.latest(params["FunctionName"]).name
        current = await self._editor.find(name)
        check_settled(current, self._home)
        await self._levels.check(current.tags)
        layers = await self._layers.asked(params, context)

        def changed(function: Function) -> Configuration:
            plain = validation.changed(function.configuration, params, self._limits, self._host)
            configuration = attaching.applied(plain, layers)
            attaching.check_size(function.code, configuration, self._limits)
            return configuration

        wanted = changed(current)
        self._egress.of(current.tags, wanted.runtime)
        choice = await self._check_outside(name, wanted)

        def change(function: Function, tx: Tx) -> Function:
            check_settled(function, self._home)
            if layers:
                self._signing.deployed(tx, name)
            return msgspec.structs.replace(function, configuration=changed(function))

        with self._preparing.pinned(wanted):
            if choice is not None:
                await self._preparing.configured(current.code.sha256, choice, wanted, current.tags)
            function = await self._editor.change(name, change, revision=params.get("RevisionId"))
        return describe.configuration(function, self._home)

    @operation("DeleteFunction")
    async def delete(self, context: RequestContext, params: "DeleteFunctionRequestTypeDef") -> dict[str, object]:
        reference = self._home.parse(params["FunctionName"], params.get("Qualifier"))
        if reference.names_alias:
            await self._editor.find(reference.name)
            raise faults.invalid_parameter("Deletion of aliases is not currently supported.")
        if reference.qualifier == LATEST:
            raise faults.invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
        if reference.qualifier is not None:
            await self._publisher.unpublish(reference)
        else:
            await self._editor.delete(reference.name)
        return {"StatusCode": 204}

    async def _check_outside(self, name: str, configuration: Configuration) -> runtimes.RuntimeChoice | None:
        """What only the rest of the platform knows: whether runtime and machine are here, and the role can be used.

        What runs a package; None for an image.
        """
        await self._providers.check(configuration.capacity)
        zipped = configuration.package == "Zip"
        choice = runtimes.choose(self._choose, configuration.runtime) if zipped else None
        await self._roles.check(configuration.role)
        await self._destinations.check_dead_letters(name, configuration.dead_letters)
        return choice
