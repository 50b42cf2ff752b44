"""An API in the form in which it answers requests: made from rows when it is first asked for, and again after a change.

Pure but for the buckets, which hold tokens. What an integration or an authorizer does is made by `building`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mayfly.services.apis.http import cors, refusals, throttles
from mayfly.services.apis.http.access_log import AccessLog
from mayfly.services.apis.http.cors import Cors
from mayfly.services.apis.http.exchange import Exchange
from mayfly.services.apis.http.measures import Measures
from mayfly.services.apis.http.model import Content, Part
from mayfly.services.apis.http.route_keys import RouteTable
from mayfly.services.apis.http.throttles import Bucket
from mayfly.services.contract import HttpResponse

Respond = Callable[[Exchange], Awaitable[HttpResponse]]  # `GatewayError`
Authorize = Callable[[Exchange], Awaitable[None]]  # sets `authorizer`; `GatewayError` when the request may not
Authorizing = Callable[[Sequence[str]], Authorize]  # for a route with these scopes
_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


class CompiledRoute(Struct, frozen=True):
    """A route of one stage."""

    key: str
    path: str  # of the key; the key itself for $default
    method: str
    respond: Respond
    authorize: Authorize | None
    bucket: Bucket | None


class CompiledStage(Struct, frozen=True):
    """A stage with what it serves."""

    name: str
    table: RouteTable[CompiledRoute] | None  # None: nothing was deployed to it
    cors: Cors | None
    variables: dict[str, str]
    bucket: Bucket | None
    log: AccessLog | None
    measures: Measures
    endpoint_disabled: bool  # of what is deployed
    detailed: frozenset[str]  # keys of the routes that have metrics of their own


class CompiledApi(Struct, frozen=True):
    """An API with its stages."""

    id: str
    account: str
    region: str
    stages: dict[str, CompiledStage]


class Place(Struct, frozen=True):
    """What `building` is told besides an integration or an authorizer."""

    api_id: str
    stage: str
    variables: Mapping[str, str]
    source: str  # of ARNs: arn:aws:execute-api:region:account:api/stage


class Building(Struct, frozen=True):
    """Makes what acts: given by `building`."""

    integration: Callable[[Place, Part], Respond]
    authorizer: Callable[[Place, Part], Authorizing]
    authorization: Callable[[Part, Authorizing | None], Authorize | None]  # of a route, with the authorizer it names
    measures: Callable[[str, str], Measures]  # of a stage of an API


def compiled(
    content: Content, served: Mapping[str, Content | None], account: str, region: str, building: Building
) -> CompiledApi:
    """The API, `served` being what its stages serve by their names."""
    stages = {}
    for stage in content.of("stage"):
        place = Place(
            content.api.id,
            stage.id,
            stage.members.get("StageVariables", {}),
            f"arn:aws:execute-api:{region}:{account}:{content.api.id}/{stage.id}",
        )
        stages[stage.id] = _stage(place, stage, served.get(stage.id), building)
    return CompiledApi(content.api.id, account, region, stages)


def _stage(place: Place, stage: Part, content: Content | None, building: Building) -> CompiledStage:
    members = stage.members
    default = members.get("DefaultRouteSettings", {})
    api = {} if content is None else content.api.members
    return CompiledStage(
        stage.id,
        None if content is None else _table(place, stage, content, building),
        cors.compiled(api.get("CorsConfiguration")),
        dict(place.variables),
        throttles.bucket(default),
        AccessLog.of(members.get("AccessLogSettings"), place.api_id, stage.id),
        building.measures(place.api_id, stage.id),
        bool(api.get("DisableExecuteApiEndpoint")),
        _detailed(members, content),
    )


def _detailed(members: Mapping[str, Any], content: Content | None) -> frozenset[str]:
    default = bool(members.get("DefaultRouteSettings", {}).get("DetailedMetricsEnabled"))
    own = members.get("RouteSettings", {})
    keys = [] if content is None else [part.members["RouteKey"] for part in content.of("route")]
    return frozenset(key for key in keys if own.get(key, {}).get("DetailedMetricsEnabled", default))


def _table(place: Place, stage: Part, content: Content, building: Building) -> RouteTable[CompiledRoute]:
    own = stage.members.get("RouteSettings", {})
    authorizers = {part.id: building.authorizer(place, part) for part in content.of("authorizer")}
    integrations = {part.id: building.integration(place, part) for part in content.of("integration")}
    routes = []
    for part in content.of("route"):
        key = part.members["RouteKey"]
        method, _, path = key.rpartition(" ")
        route = CompiledRoute(
            key,
            path,
            method,
            integrations.get(part.members.get("Target", "").partition("/")[2], _nothing),
            building.authorization(part, authorizers.get(part.members.get("AuthorizerId", ""))),
            throttles.bucket(own.get(key, {})),
        )
        routes.append((key, route))
    return RouteTable(routes)


async def _nothing(exchange: Exchange) -> HttpResponse:
    """A route without a target."""
    raise refusals.internal("the route has no integration")


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """`text` with `${stageVariables.name}` filled in; a variable that there is none of is empty."""
    return _VARIABLE.sub(lambda found: variables.get(found[1], ""), text)
