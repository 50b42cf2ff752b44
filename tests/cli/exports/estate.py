"""What somebody makes with boto3 over the years, a part of it each: what stacks know, and what they do not."""

import json
from typing import Any

from tests.cli.shop import TRUST, allowing, package
from tests.conftest import PlatformProcess

SAYS = "def handler(event, context):\n    return {what!r}\n"
LAYER = "arn:aws:lambda:{region}:{account}:layer:{name}:{number}"


def arn(platform: PlatformProcess, service: str, resource: str) -> str:
    return f"arn:aws:{service}:{platform.region}:{platform.account}:{resource}"


def role(platform: PlatformProcess, name: str, *services: str) -> str:
    trust = {**TRUST["Statement"][0], "Principal": {"Service": [f"{one}.amazonaws.com" for one in services]}}  # type: ignore[dict-item]  # of several types
    document = json.dumps({**TRUST, "Statement": [trust]})
    made = platform.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


def function(platform: PlatformProcess, runtime: str, name: str, allowed: str, **more: Any) -> str:
    made = platform.client("lambda").create_function(
        FunctionName=name, Runtime=runtime, Handler="app.handler", Role=allowed,
        Code={"ZipFile": package(app=SAYS.format(what=f"{name} 1"))}, **more,
    )  # fmt: skip
    return str(made["FunctionArn"])


def publish(platform: PlatformProcess, name: str, what: str, description: str = "", **settings: Any) -> str:
    """Give a function other code and settings, and publish that."""
    functions = platform.client("lambda")
    functions.update_function_code(FunctionName=name, ZipFile=package(app=SAYS.format(what=what)))
    if settings:
        functions.update_function_configuration(FunctionName=name, **settings)
    return str(functions.publish_version(FunctionName=name, Description=description)["Version"])


def numbered(platform: PlatformProcess, runtime: str) -> None:
    """Two functions with versions: of one, all are referred to; of the other, two of five."""
    functions = platform.client("lambda")
    allowed = role(platform, "works", "lambda")
    layers = [
        functions.publish_layer_version(
            LayerName="words", Content={"ZipFile": package(python__words=f"WORD = {number}\n")},
            Description=f"words {number}",
        )["LayerVersionArn"]
        for number in (1, 2, 3)
    ]  # fmt: skip
    for number, who in ((1, "*"), (2, "*"), (3, platform.account)):
        functions.add_layer_version_permission(
            LayerName="words", VersionNumber=number, StatementId="all", Principal=who, Action="lambda:GetLayerVersion"
        )
    calc = function(platform, runtime, "calc", allowed, Layers=[layers[0]], Environment={"Variables": {"NR": "1"}})
    functions.publish_version(FunctionName="calc", Description="the first")
    publish(platform, "calc", "calc 2", MemorySize=256, Environment={"Variables": {"NR": "2"}})
    publish(platform, "calc", "calc 3", "the third", Layers=[layers[2]], Timeout=9)
    functions.update_function_code(FunctionName="calc", ZipFile=package(app=SAYS.format(what="calc latest")))
    functions.update_function_configuration(FunctionName="calc", Description="adds numbers")
    functions.create_alias(
        FunctionName="calc", Name="live", FunctionVersion="2", Description="for all",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.25}},
    )  # fmt: skip
    functions.create_alias(FunctionName="calc", Name="next", FunctionVersion="3")
    function(platform, runtime, "pay", allowed)
    functions.publish_version(FunctionName="pay")
    for number in (2, 3, 4, 5):
        publish(platform, "pay", f"pay {number}")
    functions.create_alias(FunctionName="pay", Name="live", FunctionVersion="3")
    function(platform, runtime, "plain", allowed)
    qualified(platform, calc)


def qualified(platform: PlatformProcess, calc: str) -> None:
    """Settings of a function, of its aliases and of its versions."""
    functions, queues = platform.client("lambda"), platform.client("sqs")
    queues.create_queue(QueueName="lost")
    queues.create_queue(QueueName="sums")
    lost = {"OnFailure": {"Destination": arn(platform, "sqs", "lost")}}
    functions.put_function_event_invoke_config(FunctionName="calc", MaximumRetryAttempts=1)
    functions.put_function_event_invoke_config(FunctionName="calc", Qualifier="live", DestinationConfig=lost)
    functions.put_function_event_invoke_config(FunctionName="calc", Qualifier="2", MaximumEventAgeInSeconds=600)
    functions.put_function_recursion_config(FunctionName="calc", RecursiveLoop="Allow")
    functions.put_runtime_management_config(FunctionName="calc", UpdateRuntimeOn="FunctionUpdate")
    functions.put_function_concurrency(FunctionName="calc", ReservedConcurrentExecutions=7)
    functions.put_function_scaling_config(
        FunctionName="pay", Qualifier="5", FunctionScalingConfig={"MaxExecutionEnvironments": 3}
    )
    functions.put_provisioned_concurrency_config(
        FunctionName="calc", Qualifier="next", ProvisionedConcurrentExecutions=1
    )
    for number, qualifier in enumerate(({}, {"Qualifier": "live"}, {"Qualifier": "1"})):
        functions.add_permission(
            FunctionName="calc", StatementId=f"events-{number}", Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com", SourceAccount=platform.account,
            SourceArn=arn(platform, "events", f"rule/r-{number}"), **qualifier,
        )  # fmt: skip
    functions.create_event_source_mapping(
        FunctionName=f"{calc}:2", EventSourceArn=arn(platform, "sqs", "sums"),
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"n": [1]}})}]},
    )  # fmt: skip
    scaling = platform.client("application-autoscaling")
    target = {
        "ServiceNamespace": "lambda", "ResourceId": "function:calc:next",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }  # fmt: skip
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    scaling.put_scheduled_action(
        **target, ScheduledActionName="mornings", Schedule="cron(0 6 * * ? *)", ScalableTargetAction={"MinCapacity": 2}
    )


def guarded(platform: PlatformProcess, runtime: str) -> None:
    """Capacity, code signing, and how versions are rolled out."""
    functions = platform.client("lambda")
    allowed = role(platform, "rolls", "lambda", "codedeploy")
    provider = functions.create_capacity_provider(
        CapacityProviderName="pool", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        PermissionsConfig={"CapacityProviderOperatorRoleArn": allowed},
        CapacityProviderScalingConfig={"MaxVCpuCount": 2}, Tags={"team": "rolls"},
    )["CapacityProvider"]["CapacityProviderArn"]  # fmt: skip
    publishers = {"SigningProfileVersionArns": [arn(platform, "signer", "/signing-profiles/release/abcdefghij")]}
    configs = [
        functions.create_code_signing_config(
            AllowedPublishers=publishers, CodeSigningPolicies={"UntrustedArtifactOnDeployment": policy},
            Description=policy.lower(), Tags={"team": "rolls"},
        )["CodeSigningConfig"]["CodeSigningConfigArn"]
        for policy in ("Warn", "Enforce")
    ]  # fmt: skip
    managed = {"CapacityProviderArn": provider, "PerExecutionEnvironmentMaxConcurrency": 4}
    for name, config in zip(("warned", "closed"), configs, strict=True):
        function(
            platform, runtime, name, allowed, MemorySize=2048,
            CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": managed},
        )  # fmt: skip
        functions.put_function_code_signing_config(FunctionName=name, CodeSigningConfigArn=config)
    topic = platform.client("sns").create_topic(Name="rollouts")["TopicArn"]
    platform.client("cloudwatch").put_metric_alarm(
        AlarmName="rolls-badly", Namespace="Rolls", MetricName="Bad", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=0.5, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    deploy = platform.client("codedeploy")
    deploy.create_deployment_config(
        deploymentConfigName="slowly", computePlatform="Lambda",
        trafficRoutingConfig={
            "type": "TimeBasedCanary", "timeBasedCanary": {"canaryPercentage": 5, "canaryInterval": 7}
        },
    )  # fmt: skip
    tags = [{"Key": "team", "Value": "rolls"}]
    deploy.create_application(applicationName="rolls", computePlatform="Lambda", tags=tags)
    deploy.create_deployment_group(
        applicationName="rolls", deploymentGroupName="careful", serviceRoleArn=allowed, deploymentConfigName="slowly",
        alarmConfiguration={"enabled": True, "alarms": [{"name": "rolls-badly"}]},
        autoRollbackConfiguration={"enabled": True, "events": ["DEPLOYMENT_FAILURE"]},
        triggerConfigurations=[
            {"triggerName": "tell", "triggerTargetArn": topic, "triggerEvents": ["DeploymentFailure"]}
        ],
        deploymentStyle={"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"}, tags=tags,
    )  # fmt: skip
    deploy.create_deployment_group(applicationName="rolls", deploymentGroupName="at-once", serviceRoleArn=allowed)


def addressed(platform: PlatformProcess) -> None:
    """APIs below names of one's own."""
    rest, http = platform.client("apigateway"), platform.client("apigatewayv2")
    role(platform, "api-logs", "apigateway")
    patch = {"op": "replace", "path": "/cloudwatchRoleArn", "value": f"arn:aws:iam::{platform.account}:role/api-logs"}
    rest.update_account(patchOperations=[patch])
    certificate = rest.generate_client_certificate(description="front door")["clientCertificateId"]
    api = rest.create_rest_api(name="old-shop", description="sells")["id"]
    root = rest.get_resources(restApiId=api)["items"][0]["id"]
    where = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    rest.put_method(**where, authorizationType="NONE")
    rest.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    rest.put_method_response(**where, statusCode="200")
    rest.put_integration_response(**where, statusCode="200")
    detailed(platform, api, root)
    rest.create_documentation_part(restApiId=api, location={"type": "API"}, properties='{"description": "A shop"}')
    rest.create_documentation_version(restApiId=api, documentationVersion="d1", description="first")
    deployment = rest.create_deployment(restApiId=api)["id"]
    rest.create_stage(
        restApiId=api, stageName="prod", deploymentId=deployment, documentationVersion="d1", variables={"a": "b"}
    )
    patch = {"op": "replace", "path": "/clientCertificateId", "value": certificate}
    rest.update_stage(restApiId=api, stageName="prod", patchOperations=[patch])
    own = {"certificateArn": arn(platform, "acm", "certificate/one"), "tags": {"team": "shop"}}
    rest.create_domain_name(domainName="old.example.com", securityPolicy="TLS_1_2", **own)
    rest.create_base_path_mapping(domainName="old.example.com", basePath="shop", restApiId=api, stage="prod")
    rest.create_base_path_mapping(domainName="old.example.com", restApiId=api)
    newer = listening(platform)
    shown = {"CertificateArn": arn(platform, "acm", "certificate/two"), "EndpointType": "REGIONAL"}
    http.create_domain_name(
        DomainName="new.example.com", DomainNameConfigurations=[{**shown, "SecurityPolicy": "TLS_1_2"}],
        Tags={"team": "shop"},
    )  # fmt: skip
    http.create_api_mapping(DomainName="new.example.com", ApiId=newer, Stage="$default", ApiMappingKey="v1/shop")
    http.create_api_mapping(DomainName="new.example.com", ApiId=api, Stage="prod")
    talking(platform)


def detailed(platform: PlatformProcess, api: str, root: str) -> None:
    """What a REST API has beside methods that answer."""
    rest = platform.client("apigateway")
    schema = json.dumps({"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"})
    rest.create_model(restApiId=api, name="Order", contentType="application/json", schema=schema)
    checks = rest.create_request_validator(restApiId=api, name="bodies", validateRequestBody=True)["id"]
    rest.put_gateway_response(
        restApiId=api, responseType="ACCESS_DENIED", statusCode="418", responseTemplates={"application/json": "{}"}
    )
    plain = arn(platform, "lambda", "function:plain")
    uri = f"arn:aws:apigateway:{platform.region}:lambda:path/2015-03-31/functions/{plain}/invocations"
    guard = rest.create_authorizer(
        restApiId=api, name="guard", type="TOKEN", authorizerUri=uri, identitySource="method.request.header.x-token"
    )["id"]
    where = {"restApiId": api, "resourceId": root, "httpMethod": "POST"}
    rest.put_method(
        **where, authorizationType="CUSTOM", authorizerId=guard, requestValidatorId=checks,
        requestModels={"application/json": "Order"},
    )  # fmt: skip
    rest.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    rest.create_api_key(name="friend", value="geheim-hidden-geheim-hidden", enabled=False, customerId="c1")


def listening(platform: PlatformProcess) -> str:
    """An HTTP API with all of its settings."""
    http = platform.client("apigatewayv2")
    api = http.create_api(
        Name="new-shop", ProtocolType="HTTP", Description="sells more", Tags={"a": "b"},
        CorsConfiguration={"AllowOrigins": ["https://example.com"], "MaxAge": 60},
    )["ApiId"]  # fmt: skip
    guard = http.create_authorizer(
        ApiId=api, Name="tokens", AuthorizerType="JWT", IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Audience": ["shop"], "Issuer": "https://issuer.example.com"},
    )["AuthorizerId"]  # fmt: skip
    target = http.create_integration(
        ApiId=api, IntegrationType="HTTP_PROXY", IntegrationMethod="GET", IntegrationUri="https://example.com/{proxy}",
        PayloadFormatVersion="1.0", TimeoutInMillis=4000, RequestParameters={"append:header.x-from": "$context.stage"},
    )["IntegrationId"]  # fmt: skip
    http.create_route(
        ApiId=api, RouteKey="GET /{proxy+}", Target=f"integrations/{target}", AuthorizationType="JWT",
        AuthorizerId=guard, AuthorizationScopes=["read"],
    )  # fmt: skip
    http.create_stage(
        ApiId=api, StageName="$default", AutoDeploy=True, StageVariables={"a": "b"},
        DefaultRouteSettings={"ThrottlingRateLimit": 9.0, "ThrottlingBurstLimit": 3},
    )  # fmt: skip
    return str(api)


def talking(platform: PlatformProcess) -> None:
    """A WebSocket API that answers by itself."""
    http = platform.client("apigatewayv2")
    chat = http.create_api(Name="talk", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.do")["ApiId"]
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"}
    http.create_model(ApiId=chat, Name="Said", ContentType="application/json", Schema=json.dumps(schema))
    integration = http.create_integration(
        ApiId=chat, IntegrationType="MOCK", RequestTemplates={"200": '{"statusCode": 200}'}, TimeoutInMillis=5000,
        TemplateSelectionExpression="200",
    )["IntegrationId"]  # fmt: skip
    http.create_integration_response(
        ApiId=chat, IntegrationId=integration, IntegrationResponseKey="$default", ResponseTemplates={"200": '{"a": 1}'},
        TemplateSelectionExpression="200",
    )  # fmt: skip
    route = http.create_route(
        ApiId=chat, RouteKey="say", Target=f"integrations/{integration}", RequestModels={"said": "Said"},
        ModelSelectionExpression="said", RouteResponseSelectionExpression="$default",
    )["RouteId"]  # fmt: skip
    http.create_route_response(ApiId=chat, RouteId=route, RouteResponseKey="$default")
    http.create_stage(ApiId=chat, StageName="dev", AutoDeploy=True)


def told(platform: PlatformProcess) -> None:
    """What carries messages and events, and what watches."""
    sns, queues, events = platform.client("sns"), platform.client("sqs"), platform.client("events")
    logs, alarms = platform.client("logs"), platform.client("cloudwatch")
    feedback = role(platform, "feedback", "sns")
    status = {"SQSFailureFeedbackRoleArn": feedback, "SQSSuccessFeedbackSampleRate": "40"}
    topic = sns.create_topic(Name="told", Attributes=status)["TopicArn"]
    queue = queues.create_queue(QueueName="told")["QueueUrl"]
    allowed = {**allowing("sqs:SendMessage", arn(platform, "sqs", "told"))}
    allowed["Statement"][0] |= {"Principal": {"Service": "sns.amazonaws.com"}, "Sid": "told"}
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(allowed)})
    policy = {"FilterPolicy": json.dumps({"kind": ["x"]}), "FilterPolicyScope": "MessageBody"}
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn(platform, "sqs", "told")})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(platform, "sqs", "told"), Attributes=policy | redrive)
    sns.create_topic(
        Name="kept.fifo", Attributes={"FifoTopic": "true", "ArchivePolicy": '{"MessageRetentionPeriod":7}'}
    )
    events.put_permission(
        Action="events:PutEvents", Principal=platform.account, StatementId="mine", EventBusName="default"
    )
    rule = {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '"<id> came"'}
    events.put_rule(Name="comes", EventPattern=json.dumps({"source": ["comes"]}), Tags=[{"Key": "a", "Value": "b"}])
    events.put_targets(
        Rule="comes", Targets=[{"Id": "q", "Arn": arn(platform, "sqs", "told"), "InputTransformer": rule}]
    )
    events.create_archive(
        ArchiveName="week", EventSourceArn=arn(platform, "events", "event-bus/default"), RetentionDays=7,
        EventPattern=json.dumps({"source": ["comes"]}),
    )  # fmt: skip
    clock = role(platform, "ticks", "scheduler", "pipes")
    schedules = platform.client("scheduler")
    schedules.create_schedule_group(Name="nights", Tags=[{"Key": "a", "Value": "b"}])
    schedules.create_schedule(
        Name="clean", GroupName="nights", ScheduleExpression="rate(1 day)", State="DISABLED",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        Target={"Arn": arn(platform, "sqs", "told"), "RoleArn": clock, "Input": "{}"},
    )  # fmt: skip
    platform.client("pipes").create_pipe(
        Name="moves", RoleArn=clock, Source=arn(platform, "sqs", "told"), DesiredState="STOPPED",
        Target=arn(platform, "events", "event-bus/default"),
    )  # fmt: skip
    logs.create_log_group(logGroupName="/shop/told", tags={"a": "b"})
    logs.put_retention_policy(logGroupName="/shop/told", retentionInDays=3)
    writer = allowing("logs:PutLogEvents", "*")
    writer["Statement"][0] |= {"Principal": {"Service": "events.amazonaws.com"}}
    logs.put_resource_policy(policyName="writers", policyDocument=json.dumps(writer))
    alarms.put_metric_alarm(
        AlarmName="loud", Namespace="Told", MetricName="Loud", Statistic="Sum", Period=60, EvaluationPeriods=2,
        DatapointsToAlarm=1, Threshold=3, ComparisonOperator="GreaterThanThreshold", TreatMissingData="breaching",
    )  # fmt: skip
    alarms.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("loud")', AlarmActions=[topic])


def trusted(platform: PlatformProcess, runtime: str) -> None:
    """People, parameters, secrets, and what rotates them."""
    iam, secrets = platform.client("iam"), platform.client("secretsmanager")
    policy = iam.create_policy(
        PolicyName="reads", Path="/team/", PolicyDocument=json.dumps(allowing("s3:GetObject", "*")), Description="reads"
    )["Policy"]["Arn"]
    iam.create_group(GroupName="team", Path="/team/")
    iam.attach_group_policy(GroupName="team", PolicyArn=policy)
    iam.create_user(UserName="anna", Tags=[{"Key": "since", "Value": "2020"}])
    iam.put_user_policy(UserName="anna", PolicyName="own", PolicyDocument=json.dumps(allowing("sqs:*", "*")))
    iam.add_user_to_group(UserName="anna", GroupName="team")
    iam.create_access_key(UserName="anna")
    iam.create_instance_profile(InstanceProfileName="box")
    role(platform, "boxes", "ec2")
    iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="boxes")
    iam.create_service_linked_role(AWSServiceName="lambda.amazonaws.com", Description="theirs")
    expiry = [{"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2099-12-02T21:34:33.000Z"}}]
    platform.client("ssm").put_parameter(
        Name="/shop/until", Type="StringList", Value="a,b", Tier="Advanced", Policies=json.dumps(expiry),
        Description="until then", Tags=[{"Key": "a", "Value": "b"}],
    )  # fmt: skip
    secret = secrets.create_secret(Name="door", SecretString="geheim-hidden")["ARN"]
    readers = allowing("secretsmanager:GetSecretValue", "*")
    readers["Statement"][0] |= {"Principal": {"AWS": f"arn:aws:iam::{platform.account}:root"}}
    secrets.put_resource_policy(SecretId=secret, ResourcePolicy=json.dumps(readers))
    turns = function(platform, runtime, "turns", role(platform, "turner", "lambda"))
    platform.client("lambda").add_permission(
        FunctionName="turns", StatementId="secrets", Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
    )  # fmt: skip
    secrets.rotate_secret(
        SecretId=secret, RotationLambdaARN=turns, RotationRules={"AutomaticallyAfterDays": 30}, RotateImmediately=False
    )
    function(platform, runtime, "opens", f"arn:aws:iam::{platform.account}:role/turner", Environment={
        "Variables": {"DOOR": secret}
    })  # fmt: skip
    platform.client("lambda").publish_version(FunctionName="opens")
    publish(platform, "opens", "opens 2", Environment={"Variables": {"DOOR": secret, "BELL": "1"}})
    platform.client("lambda").create_alias(FunctionName="opens", Name="live", FunctionVersion="1")
    platform.client("s3").create_bucket(Bucket="full-of-photos")
    platform.client("s3").put_object(Bucket="full-of-photos", Key="a", Body=b"x")
