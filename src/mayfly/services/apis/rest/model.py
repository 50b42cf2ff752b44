"""REST APIs as they are stored: the head (settings of its own), the parts that it is made of, deployments, stages.

Fields are named as the wire names them, in camel case, so that `msgspec.to_builtins` gives a reply's members and
`msgspec.convert` takes a request's. None: not given, and not shown. What is deployed is a copy of head and parts.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

STREAM: Final = "STREAM"  # of `Integration.response_transfer_mode`


class Base(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What all of them have in common."""


class Endpoint(Base, frozen=True, kw_only=True):
    types: list[str]
    ip_address_type: str
    vpc_endpoint_ids: list[str] | None = None


class Head(Base, frozen=True, kw_only=True):
    """The API itself."""

    id: str
    name: str
    root_resource_id: str
    created_at: float
    endpoint_configuration: Endpoint
    api_key_source: str
    disable_execute_api_endpoint: bool
    description: str | None = None
    version: str | None = None
    binary_media_types: list[str] | None = None
    minimum_compression_size: int | None = None
    policy: str | None = None
    tags: dict[str, str] | None = None
    warnings: list[str] | None = None
    security_policy: str | None = None
    endpoint_access_mode: str | None = None


class MethodResponse(Base, frozen=True, kw_only=True):
    status_code: str
    response_parameters: dict[str, bool] | None = None
    response_models: dict[str, str] | None = None


class IntegrationResponse(Base, frozen=True, kw_only=True):
    status_code: str
    selection_pattern: str | None = None
    response_parameters: dict[str, str] | None = None
    response_templates: dict[str, str | None] | None = None
    content_handling: str | None = None


class Integration(Base, frozen=True, kw_only=True):
    type: str  # "AWS" | "AWS_PROXY" | "HTTP" | "HTTP_PROXY" | "MOCK"
    passthrough_behavior: str
    timeout_in_millis: int
    cache_namespace: str
    cache_key_parameters: list[str]
    http_method: str | None = None
    uri: str | None = None
    connection_type: str | None = None
    connection_id: str | None = None
    credentials: str | None = None
    request_parameters: dict[str, str] | None = None
    request_templates: dict[str, str | None] | None = None
    content_handling: str | None = None
    integration_responses: dict[str, IntegrationResponse] | None = None
    tls_config: dict[str, bool] | None = None
    response_transfer_mode: str | None = None
    integration_target: str | None = None


class Method(Base, frozen=True, kw_only=True):
    http_method: str
    authorization_type: str
    api_key_required: bool
    authorizer_id: str | None = None
    request_validator_id: str | None = None
    operation_name: str | None = None
    request_parameters: dict[str, bool] | None = None
    request_models: dict[str, str] | None = None
    method_responses: dict[str, MethodResponse] | None = None
    method_integration: Integration | None = None
    authorization_scopes: list[str] | None = None


class Resource(Base, frozen=True, kw_only=True):
    id: str
    path: str
    parent_id: str | None = None  # None: the root
    path_part: str | None = None
    methods: dict[str, Method] = {}


class Model(Base, frozen=True, kw_only=True):
    id: str
    name: str
    content_type: str
    description: str | None = None
    schema: str | None = None


class Validator(Base, frozen=True, kw_only=True):
    id: str
    name: str
    validate_request_body: bool
    validate_request_parameters: bool


class Authorizer(Base, frozen=True, kw_only=True):
    id: str
    name: str
    type: str  # "TOKEN" | "REQUEST" | "COGNITO_USER_POOLS" | "JWT"
    auth_type: str | None = None
    provider_arns: list[str] | None = msgspec.field(default=None, name="providerARNs")
    authorizer_uri: str | None = None
    authorizer_credentials: str | None = None
    identity_source: str | None = None
    identity_validation_expression: str | None = None
    authorizer_result_ttl_in_seconds: int | None = None


class GatewayResponse(Base, frozen=True, kw_only=True):
    """One that was put; defaults are not stored."""

    response_type: str
    status_code: str | None = None
    response_parameters: dict[str, str] = {}
    response_templates: dict[str, str] = {}


class Location(Base, frozen=True, kw_only=True):
    """What a part of the documentation is about."""

    type: str
    path: str | None = None
    method: str | None = None
    status_code: str | None = None
    name: str | None = None


class DocumentationPart(Base, frozen=True, kw_only=True):
    id: str
    location: Location
    properties: str


class DocumentationVersion(Base, frozen=True, kw_only=True):
    version: str
    created_at: float
    parts: list[DocumentationPart]
    description: str | None = None


class Parts(Base, frozen=True, kw_only=True):
    """What an API is made of, by id or name. The containers are for whoever read it from the store to change."""

    resources: dict[str, Resource]
    models: dict[str, Model] = {}  # by name
    validators: dict[str, Validator] = {}
    authorizers: dict[str, Authorizer] = {}
    gateway_responses: dict[str, GatewayResponse] = {}  # by type
    documentation_parts: dict[str, DocumentationPart] = {}
    documentation_versions: dict[str, DocumentationVersion] = {}


class Api(Base, frozen=True, kw_only=True):
    """Head and parts."""

    head: Head
    parts: Parts


class Deployment(Base, frozen=True, kw_only=True):
    """Without the copy of the API, which is stored beside it."""

    id: str
    created_at: float
    description: str | None = None


class MethodSetting(Base, frozen=True, kw_only=True, omit_defaults=False):
    metrics_enabled: bool = False
    logging_level: str | None = None
    data_trace_enabled: bool = False
    throttling_burst_limit: int = 5000
    throttling_rate_limit: float = 10000.0
    caching_enabled: bool = False
    cache_ttl_in_seconds: int = 300
    cache_data_encrypted: bool = False
    require_authorization_for_cache_control: bool = True
    unauthorized_cache_control_header_strategy: str = "SUCCEED_WITH_RESPONSE_HEADER"


class Canary(Base, frozen=True, kw_only=True):
    percent_traffic: float
    deployment_id: str
    use_stage_cache: bool
    stage_variable_overrides: dict[str, str] | None = None


class Stage(Base, frozen=True, kw_only=True):
    stage_name: str
    deployment_id: str
    created_at: float
    updated_at: float
    cache_cluster_enabled: bool
    tracing_enabled: bool
    method_settings: dict[str, MethodSetting] = {}
    description: str | None = None
    cache_cluster_size: str | None = None
    client_certificate_id: str | None = None
    variables: dict[str, str] | None = None
    documentation_version: str | None = None
    access_log_settings: dict[str, str] | None = None
    canary_settings: Canary | None = None
    web_acl_arn: str | None = None
    tags: dict[str, str] | None = None


class ApiKey(Base, frozen=True, kw_only=True):
    """A key without its value."""

    id: str
    enabled: bool
    created_at: float
    updated_at: float
    name: str | None = None
    description: str | None = None
    customer_id: str | None = None
    stage_keys: list[str] = []
    tags: dict[str, str] | None = None


class Throttle(Base, frozen=True, kw_only=True, omit_defaults=False):
    burst_limit: int = 0
    rate_limit: float = 0.0


class Quota(Base, frozen=True, kw_only=True, omit_defaults=False):
    limit: int
    period: str  # "DAY" | "WEEK" | "MONTH"
    offset: int = 0


class PlanStage(Base, frozen=True, kw_only=True):
    api_id: str
    stage: str
    throttle: dict[str, Throttle] | None = None  # by "path/METHOD"


class UsagePlan(Base, frozen=True, kw_only=True):
    id: str
    name: str
    api_stages: list[PlanStage]
    description: str | None = None
    throttle: Throttle | None = None
    quota: Quota | None = None
    product_code: str | None = None
    tags: dict[str, str] | None = None


class ClientCertificate(Base, frozen=True, kw_only=True):
    client_certificate_id: str
    pem_encoded_certificate: str
    created_at: float
    expires_at: float
    description: str | None = None
    sealed_key: bytes = b""
    tags: dict[str, str] | None = None


def key_use(certificate_id: str) -> str:
    """What the key of a client certificate is sealed for."""
    return f"rest-client-certificate:{certificate_id}"


class Account(Base, frozen=True, kw_only=True):
    """Settings of the account in the region."""

    cloudwatch_role_arn: str | None = None


def shown(value: Struct, *hidden: str) -> dict[str, Any]:
    """The members of a reply, without some fields (wire names) and without what is None."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    for name in hidden:
        found.pop(name, None)
    return found
