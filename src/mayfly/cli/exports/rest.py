"""REST APIs as OpenAPI documents with API Gateway's extensions, their stages, keys and usage plans."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mayfly.cli.exports.things import Given, Name, Reading, Thing, upper

API, DEPLOYMENT, STAGE = "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage"
KEY, PLAN = "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::UsagePlan"
CERTIFICATE = "AWS::ApiGateway::ClientCertificate"
_METHOD = {
    "loggingLevel": "LoggingLevel", "dataTraceEnabled": "DataTraceEnabled", "metricsEnabled": "MetricsEnabled",
    "throttlingBurstLimit": "ThrottlingBurstLimit", "throttlingRateLimit": "ThrottlingRateLimit",
    "cachingEnabled": "CachingEnabled", "cacheTtlInSeconds": "CacheTtlInSeconds",
    "cacheDataEncrypted": "CacheDataEncrypted",
}  # fmt: skip


def account(reading: Reading) -> Iterator[Thing]:
    """The role by which logs are written, and certificates by which backends know the API."""
    client = reading.client("apigateway")
    kind = "AWS::ApiGateway::Account"
    role = client.get_account().get("cloudwatchRoleArn")
    if role and not any(held == kind for held, _ in reading.held):
        reading.roles.add(role)
        yield Thing(kind, "api account", "", {"CloudWatchRoleArn": role})
    for found in reading.pages("apigateway", "get_client_certificates", "items"):
        id_ = found["clientCertificateId"]
        if not reading.is_held(CERTIFICATE, id_):
            description = {"Description": found["description"]} if found.get("description") else {}
            name = found.get("description") or id_
            reading.notes.append(f"client certificate {name}: another one is made, so backends have to be told of it")
            yield Thing(CERTIFICATE, f"{name} certificate", id_, description | _tags(found), foreseen=False)


def rest_apis(reading: Reading) -> Iterator[Thing]:
    for api in reading.pages("apigateway", "get_rest_apis", "items"):
        if not reading.is_held(API, api["id"]):
            yield from _api(reading, api)


def _api(reading: Reading, api: dict[str, Any]) -> Iterator[Thing]:
    client = reading.client("apigateway")
    id_, name = api["id"], api["name"]
    stages = sorted(client.get_stages(restApiId=id_)["item"], key=lambda stage: stage["lastUpdatedDate"])
    if not stages:
        reading.notes.append(f"REST API {name} ({id_}) has no stage, so nothing of it answers: left out")
        return
    shown = stages[-1]
    exported = client.get_export(
        restApiId=id_, stageName=shown["stageName"], exportType="oas30", accepts="application/json",
        parameters={"extensions": "apigateway"},
    )  # fmt: skip
    document = json.loads(exported["body"].read())
    document.pop("servers", None)
    properties = {"Name": name, "Body": document, **_settings(api)}
    yield Thing(API, f"{name} api", id_, properties, foreseen=False)
    yield Thing(DEPLOYMENT, f"{name} deployment", deployment_of(id_), {"RestApiId": Name(API, id_)}, foreseen=False)
    documented = list(_documentation(reading, id_, name))
    yield from documented
    for stage in stages:
        if stage.get("canarySettings"):
            reading.notes.append(f"REST API {name}: the canary of stage {stage['stageName']} is left out")
        if stage["deploymentId"] != shown["deploymentId"]:
            reading.notes.append(
                f"REST API {name}: stage {stage['stageName']} has another deployment than {shown['stageName']}; "
                "the template has one, for both"
            )
        known = stage_of(id_, stage["stageName"])
        after = tuple(one.ref for one in documented)
        shown_as = f"{name} {stage['stageName']} stage"
        yield Thing(STAGE, shown_as, known, _stage(id_, stage), foreseen=False, after=after)


def _documentation(reading: Reading, id_: str, name: str) -> Iterator[Thing]:
    """Versions of what is said of an API, which are all of what it says now."""
    for found in reading.pages("apigateway", "get_documentation_versions", "items", restApiId=id_):
        version = found["version"]
        properties = {"RestApiId": Name(API, id_), "DocumentationVersion": version}
        properties |= {"Description": found["description"]} if found.get("description") else {}
        known = f"documentation {version} of {id_}"
        label = f"{name} documentation {version}"
        yield Thing("AWS::ApiGateway::DocumentationVersion", label, known, properties, foreseen=False)


def deployment_of(api_id: str) -> str:
    """By which an API's one deployment is known here."""
    return f"deployment of {api_id}"


def stage_of(api_id: str, stage: str) -> str:
    """By which a stage is known here."""
    return f"stage {stage} of {api_id}"


def _settings(api: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if api.get("description"):
        kept["Description"] = api["description"]
    if api.get("apiKeySource", "HEADER") != "HEADER":
        kept["ApiKeySourceType"] = api["apiKeySource"]
    if "minimumCompressionSize" in api:
        kept["MinimumCompressionSize"] = api["minimumCompressionSize"]
    if api.get("binaryMediaTypes"):
        kept["BinaryMediaTypes"] = api["binaryMediaTypes"]
    if api.get("disableExecuteApiEndpoint"):
        kept["DisableExecuteApiEndpoint"] = True
    if api.get("policy"):
        kept["Policy"] = json.loads(api["policy"])
    types = api.get("endpointConfiguration", {}).get("types", ["EDGE"])
    if types != ["EDGE"]:
        kept["EndpointConfiguration"] = {"Types": types}
    return kept | _tags(api)


def _stage(id_: str, found: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "RestApiId": Name(API, id_),
        "DeploymentId": Name(DEPLOYMENT, deployment_of(id_)),
        "StageName": found["stageName"],
    }
    if found.get("description"):
        kept["Description"] = found["description"]
    if found.get("variables"):
        kept["Variables"] = found["variables"]
    if found.get("cacheClusterEnabled"):
        kept |= {"CacheClusterEnabled": True, "CacheClusterSize": found.get("cacheClusterSize", "0.5")}
    if found.get("clientCertificateId"):
        kept["ClientCertificateId"] = Name(CERTIFICATE, found["clientCertificateId"])
    if found.get("documentationVersion"):
        kept["DocumentationVersion"] = found["documentationVersion"]
    if found.get("tracingEnabled"):
        kept["TracingEnabled"] = True
    if logs := found.get("accessLogSettings"):
        kept["AccessLogSetting"] = {"DestinationArn": logs["destinationArn"], "Format": logs.get("format", "")}
    settings = [_method(place, one) for place, one in found.get("methodSettings", {}).items()]
    if settings:
        kept["MethodSettings"] = settings
    return kept | _tags(found)


def _method(place: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the methods at a place: `*/*`, or a path whose slashes are written `~1`, and a method."""
    path, _, method = place.rpartition("/")
    path = path.replace("~1", "/")
    where = path if path == "*" or path.startswith("/") else f"/{path}"
    return {"ResourcePath": "/*" if where == "*" else where, "HttpMethod": method} | {
        ours: found[theirs] for theirs, ours in _METHOD.items() if theirs in found and found[theirs] not in (-1, -1.0)
    }


def _tags(found: Mapping[str, Any]) -> dict[str, Any]:
    pairs = sorted(found.get("tags", {}).items())
    tags = [{"Key": key, "Value": value} for key, value in pairs if not key.startswith("aws:")]
    return {"Tags": tags} if tags else {}


def usage_plans(reading: Reading) -> Iterator[Thing]:
    """Keys, whose values are given with the deployment, plans, and which keys have which."""
    for key in reading.pages("apigateway", "get_api_keys", "items"):
        if reading.is_held(KEY, key["id"]):
            continue
        properties: dict[str, Any] = {"Name": key["name"], "Enabled": key["enabled"], **_tags(key)}
        properties["Value"] = Given(f"The value of API key {key['name']}, of 20 to 128 characters")
        if key.get("description"):
            properties["Description"] = key["description"]
        if key.get("customerId"):
            properties["CustomerId"] = key["customerId"]
        yield Thing(KEY, f"{key['name']} key", key["id"], properties, foreseen=False)
    for plan in reading.pages("apigateway", "get_usage_plans", "items"):
        if reading.is_held(PLAN, plan["id"]):
            continue
        stages = [
            {"ApiId": Name(API, one["apiId"]), "Stage": one["stage"], **_throttled(one)}
            for one in plan.get("apiStages", ())
        ]
        properties = {
            "UsagePlanName": plan["name"],
            **({"Description": plan["description"]} if plan.get("description") else {}),
            **{name: upper(plan[name.lower()]) for name in ("Quota", "Throttle") if plan.get(name.lower())},
            **({"ApiStages": stages} if stages else {}),
            **_tags(plan),
        }
        after = tuple(stage_of(one["apiId"], one["stage"]) for one in plan.get("apiStages", ()))
        yield Thing(PLAN, f"{plan['name']} plan", plan["id"], properties, foreseen=False, after=after)
        for key in reading.pages("apigateway", "get_usage_plan_keys", "items", usagePlanId=plan["id"]):
            told = {"KeyId": Name(KEY, key["id"]), "KeyType": key["type"], "UsagePlanId": Name(PLAN, plan["id"])}
            yield Thing("AWS::ApiGateway::UsagePlanKey", f"{plan['name']} {key['name']} key", "", told)


def _throttled(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Limits of single methods of a stage."""
    if not stage.get("throttle"):
        return {}
    return {"Throttle": {method: upper(limits) for method, limits in stage["throttle"].items()}}
