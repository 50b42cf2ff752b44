"""A WebSocket API in the form in which it answers: made when it is first asked for, and again after a change."""

import json
from collections.abc import Mapping

from msgspec import Struct

from mayfly.services.apis.http import throttles
from mayfly.services.apis.http.access_log import AccessLog
from mayfly.services.apis.http.compiled import with_variables
from mayfly.services.apis.http.model import Content, Members, Part
from mayfly.services.apis.http.throttles import Bucket
from mayfly.services.apis.rest.json_schema import Validator
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.template import Template, compile_template

_Templates = Mapping[str, "Template | TemplateError"]


class Reply(Struct, frozen=True):
    """What an integration response makes of an answer."""

    template_selection: str | None
    templates: _Templates
    content: str | None = None  # "CONVERT_TO_BINARY" | "CONVERT_TO_TEXT"


class Integration(Struct, frozen=True):
    """What stands behind a route, variables of the stage in their places."""

    type: str
    uri: str
    method: str
    credentials: str | None
    timeout_s: float
    passthrough: str
    parameters: Mapping[str, str]
    template_selection: str | None
    templates: _Templates
    reply_selection: str | None
    replies: Mapping[str, Reply]
    content: str | None = None  # "CONVERT_TO_BINARY" | "CONVERT_TO_TEXT"


class Route(Struct, frozen=True):
    """A route of one stage."""

    key: str
    integration: Integration | None
    answers: bool  # what the integration answers goes back to the client
    authorization: str  # "NONE" | "AWS_IAM" | "CUSTOM"
    authorizer: Members | None
    bucket: Bucket | None
    model_selection: str | None
    models: Mapping[str, Validator]  # what messages have to be, by what the selection gives


class Stage(Struct, frozen=True):
    """A stage with what it serves."""

    name: str
    api_id: str
    arn: str  # arn:aws:execute-api:region:account:api/stage
    selection: str  # of routes
    routes: Mapping[str, Route]
    variables: dict[str, str]
    bucket: Bucket | None
    disabled: bool  # it answers under its own name no more
    log: AccessLog | None


class CompiledApi(Struct, frozen=True):
    """An API with its stages."""

    id: str
    stages: Mapping[str, Stage]


def compiled(content: Content, served: Mapping[str, Content | None], account: str, region: str) -> CompiledApi:
    """The API, `served` being what its stages serve by their names."""
    arn = f"arn:aws:execute-api:{region}:{account}:{content.api.id}"
    stages = {part.id: _stage(arn, part, _answering(served.get(part.id), content)) for part in content.of("stage")}
    return CompiledApi(content.api.id, stages)


def _answering(deployed: Content | None, now: Content) -> Content | None:
    """What is deployed, with responses that came after it for what has none there.

    Templates make a deployment depend on its routes, as AWS's samples do, and so at the same time as the responses.
    """
    if deployed is None:
        return None
    known = {(part.kind, part.parent) for part in deployed.parts}
    parents = {(part.kind, part.id) for part in deployed.parts}
    late = [
        part
        for kind, of in (("route-response", "route"), ("integration-response", "integration"))
        for part in now.parts
        if part.kind == kind and (kind, part.parent) not in known and (of, part.parent) in parents
    ]
    return Content(deployed.api, (*deployed.parts, *late)) if late else deployed


def _stage(arn: str, part: Part, content: Content | None) -> Stage:
    variables: dict[str, str] = dict(part.members.get("StageVariables", {}))
    api: Members = {} if content is None else content.api.members
    routes = {} if content is None else _routes(part, content, variables)
    return Stage(
        part.id,
        arn.rpartition(":")[2],
        f"{arn}/{part.id}",
        api.get("RouteSelectionExpression", ""),
        routes,
        variables,
        throttles.bucket(part.members.get("DefaultRouteSettings", {})),
        bool(api.get("DisableExecuteApiEndpoint")),
        AccessLog.of(part.members.get("AccessLogSettings"), arn.rpartition(":")[2], part.id),
    )


def _routes(stage: Part, content: Content, variables: Mapping[str, str]) -> dict[str, Route]:
    own = stage.members.get("RouteSettings", {})
    authorizers: dict[str, Members] = {
        part.id: {**part.members, "AuthorizerId": part.id} for part in content.of("authorizer")
    }
    replies: dict[str, dict[str, Reply]] = {}
    for part in content.of("integration-response"):
        reply = Reply(
            part.members.get("TemplateSelectionExpression"),
            _templates(part.members.get("ResponseTemplates")),
            part.members.get("ContentHandlingStrategy"),
        )
        replies.setdefault(part.parent, {})[part.members["IntegrationResponseKey"]] = reply
    integrations = {
        part.id: _integration(part.members, replies.get(part.id, {}), variables) for part in content.of("integration")
    }
    answered = {part.parent for part in content.of("route-response")}
    schemas = {
        part.members["Name"]: Validator(json.loads(part.members["Schema"]))
        for part in content.of("model")
        if part.members.get("Schema")
    }
    routes = {}
    for part in content.of("route"):
        members = part.members
        key: str = members["RouteKey"]
        routes[key] = Route(
            key,
            integrations.get(members.get("Target", "").partition("/")[2]),
            part.id in answered,
            members.get("AuthorizationType", "NONE"),
            authorizers.get(members.get("AuthorizerId", "")),
            throttles.bucket(own.get(key, {})),
            members.get("ModelSelectionExpression"),
            {selected: schemas[name] for selected, name in members.get("RequestModels", {}).items() if name in schemas},
        )
    return routes


def _integration(members: Members, replies: Mapping[str, Reply], variables: Mapping[str, str]) -> Integration:
    return Integration(
        members["IntegrationType"],
        with_variables(members.get("IntegrationUri", ""), variables),
        members.get("IntegrationMethod", "POST"),
        with_variables(members["CredentialsArn"], variables) if members.get("CredentialsArn") else None,
        members.get("TimeoutInMillis", 29_000) / 1000,
        members.get("PassthroughBehavior", "WHEN_NO_MATCH"),
        members.get("RequestParameters", {}),
        members.get("TemplateSelectionExpression"),
        _templates(members.get("RequestTemplates")),
        members.get("IntegrationResponseSelectionExpression"),
        replies,
        members.get("ContentHandlingStrategy"),
    )


def _templates(texts: Mapping[str, str] | None) -> _Templates:
    return {key: _template(text) for key, text in (texts or {}).items()}


def _template(text: str) -> "Template | TemplateError":
    try:
        return compile_template(text)
    except TemplateError as error:
        return error
