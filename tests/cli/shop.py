"""A small shop made with boto3 alone, as somebody does who never wrote a template."""

import io
import json
import zipfile
from typing import Any

from tests.conftest import PlatformProcess

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
SHOP = """
import json, os, boto3
from wares import NAMES

def handler(event, context):
    if "Records" in event:
        table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
        for record in event["Records"]:
            if "s3" in record:
                table.put_item(Item={"id": record["s3"]["object"]["key"], "kind": "object"})
            elif "Sns" in record:
                table.put_item(Item={"id": record["Sns"]["Message"], "kind": "message"})
            else:
                table.put_item(Item={"id": record["body"], "kind": "job"})
        return None
    if event.get("send"):
        boto3.client("sqs").send_message(QueueUrl=os.environ["JOBS"], MessageBody=event["send"])
        boto3.client("s3").put_object(Bucket=os.environ["PHOTOS"], Key=event["send"] + ".jpg", Body=b"x")
        boto3.client("sns").publish(TopicArn=os.environ["NEWS"], Message=event["send"] + "-news")
    said = {"wares": NAMES, "path": event.get("rawPath") or event.get("path"), "stage": os.environ["STAGE"]}
    return {"statusCode": 200, "body": json.dumps(said)}
"""
WARES = "NAMES = ['apple']\n"


def package(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/") + ".py", text)
    return buffer.getvalue()


def furnish(platform: PlatformProcess, runtime: str) -> None:
    """Make all of it."""
    arn = f"arn:aws:iam::{platform.account}:role/shop"
    keep(platform, arn)
    iam, functions = platform.client("iam"), platform.client("lambda")
    policy = iam.create_policy(
        PolicyName="read-photos",
        PolicyDocument=json.dumps(allowing("s3:GetObject", "arn:aws:s3:::shop-photos/*")),
    )["Policy"]["Arn"]
    iam.create_role(RoleName="shop", AssumeRolePolicyDocument=json.dumps(TRUST))
    clock = json.dumps(TRUST).replace("lambda.", "scheduler.")
    iam.create_role(RoleName="clock", AssumeRolePolicyDocument=clock, Description="Calls the shop weekly")
    iam.attach_role_policy(RoleName="shop", PolicyArn=policy)
    iam.attach_role_policy(
        RoleName="shop", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    itself = f"arn:aws:lambda:{platform.region}:{platform.account}:function:shop"
    iam.put_role_policy(
        RoleName="shop", PolicyName="calls", PolicyDocument=json.dumps(allowing("lambda:InvokeFunction", itself))
    )
    layer = functions.publish_layer_version(
        LayerName="wares", Content={"ZipFile": package(python__wares=WARES)}, CompatibleRuntimes=[runtime]
    )["LayerVersionArn"]
    functions.create_function(
        FunctionName="shop",
        Runtime=runtime,
        Handler="app.handler",
        Role=arn,
        Timeout=20,
        Layers=[layer],
        Code={"ZipFile": package(app=SHOP)},
        Environment={
            "Variables": {
                "TABLE": "shop-wares",
                "JOBS": f"{platform.url}/{platform.account}/shop-jobs",
                "PHOTOS": "shop-photos",
                "NEWS": f"arn:aws:sns:{platform.region}:{platform.account}:shop-news",
                "STAGE": "a ${literal}",
                "AWS_ENDPOINT_URL": platform.url,
            }
        },
        Tags={"team": "shop"},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="shop")
    attach(platform, itself)
    publish(platform, itself)


def allowing(action: str, resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def keep(platform: PlatformProcess, role: str) -> None:
    """Where things are kept, and what carries them."""
    s3, tables, queues = platform.client("s3"), platform.client("dynamodb"), platform.client("sqs")
    s3.create_bucket(Bucket="shop-photos")
    s3.put_bucket_versioning(Bucket="shop-photos", VersioningConfiguration={"Status": "Enabled"})
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket="shop-photos", CORSConfiguration={"CORSRules": [rule]})
    tables.create_table(
        TableName="shop-wares",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    tables.update_time_to_live(
        TableName="shop-wares", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    queues.create_queue(QueueName="shop-dead")
    dead = f"arn:aws:sqs:{platform.region}:{platform.account}:shop-dead"
    redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 3})
    queues.create_queue(
        QueueName="shop-jobs", Attributes={"VisibilityTimeout": "60", "RedrivePolicy": redrive}, tags={"team": "shop"}
    )
    queues.create_queue(QueueName="shop-orders.fifo", Attributes={"FifoQueue": "true"})
    platform.client("ssm").put_parameter(Name="/shop/colour", Type="String", Value="mauve-hidden")
    platform.client("ssm").put_parameter(Name="/shop/key", Type="SecureString", Value="also-hidden")
    platform.client("secretsmanager").create_secret(Name="shop/password", SecretString="geheim-hidden")


def attach(platform: PlatformProcess, function: str) -> None:
    """What calls the function."""
    functions, s3, sns = platform.client("lambda"), platform.client("s3"), platform.client("sns")
    for sid, principal, source in (
        ("photos", "s3.amazonaws.com", "arn:aws:s3:::shop-photos"),
        ("news", "sns.amazonaws.com", f"arn:aws:sns:{platform.region}:{platform.account}:shop-news"),
    ):
        functions.add_permission(
            FunctionName="shop", StatementId=sid, Action="lambda:InvokeFunction", Principal=principal, SourceArn=source
        )
    suffix = {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".jpg"}]}}
    notified = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"], "Filter": suffix}
    s3.put_bucket_notification_configuration(
        Bucket="shop-photos", NotificationConfiguration={"LambdaFunctionConfigurations": [notified]}
    )
    topic = sns.create_topic(Name="shop-news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    dead = f"arn:aws:sqs:{platform.region}:{platform.account}:shop-dead"
    filtered = {"FilterPolicy": json.dumps({"kind": ["lost"]}), "RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=dead, Attributes=filtered)
    jobs = f"arn:aws:sqs:{platform.region}:{platform.account}:shop-jobs"
    functions.create_event_source_mapping(FunctionName="shop", EventSourceArn=jobs, BatchSize=2)
    events, schedules = platform.client("events"), platform.client("scheduler")
    events.create_event_bus(Name="shop")
    events.put_rule(Name="ordered", EventBusName="shop", EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule="ordered", EventBusName="shop", Targets=[{"Id": "1", "Arn": jobs}])
    events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)", State="DISABLED")
    events.put_targets(Rule="nightly", Targets=[{"Id": "1", "Arn": function, "Input": json.dumps({"night": True})}])
    events.create_archive(
        ArchiveName="orders", EventSourceArn=f"arn:aws:events:{platform.region}:{platform.account}:event-bus/shop"
    )
    auth = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "key-hidden"}}
    connection = events.create_connection(Name="bank", AuthorizationType="API_KEY", AuthParameters=auth)
    events.create_api_destination(
        Name="bank",
        ConnectionArn=connection["ConnectionArn"],
        InvocationEndpoint="https://bank.example/pay",
        HttpMethod="POST",
    )
    schedules.create_schedule(
        Name="weekly",
        ScheduleExpression="cron(0 8 ? * MON *)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": function, "RoleArn": f"arn:aws:iam::{platform.account}:role/clock"},
    )
    logs, alarms = platform.client("logs"), platform.client("cloudwatch")
    logs.create_log_group(logGroupName="/aws/lambda/shop")
    logs.put_retention_policy(logGroupName="/aws/lambda/shop", retentionInDays=7)
    shaped = {"metricName": "Bad", "metricNamespace": "Shop", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName="/aws/lambda/shop", filterName="bad", filterPattern="ERROR", metricTransformations=[shaped]
    )
    alarms.put_metric_alarm(
        AlarmName="many-bad", Namespace="Shop", MetricName="Bad", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
    )  # fmt: skip


def publish(platform: PlatformProcess, function: str) -> None:
    """What others may call."""
    functions = platform.client("lambda")
    version = functions.publish_version(FunctionName="shop")["Version"]
    functions.create_alias(FunctionName="shop", Name="live", FunctionVersion=version)
    functions.put_function_event_invoke_config(
        FunctionName="shop", MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{platform.region}:{platform.account}:shop-dead"}},
    )  # fmt: skip
    for qualifier in ({}, {"Qualifier": "live"}):
        functions.create_function_url_config(FunctionName="shop", AuthType="NONE", **qualifier)
        functions.add_permission(
            FunctionName="shop", StatementId="anybody", Action="lambda:InvokeFunctionUrl", Principal="*",
            FunctionUrlAuthType="NONE", **qualifier,
        )  # fmt: skip
        functions.add_permission(
            FunctionName="shop", StatementId="anybody-calls", Action="lambda:InvokeFunction", Principal="*",
            InvokedViaFunctionUrl=True, **qualifier,
        )  # fmt: skip
    apis = platform.client("apigatewayv2")
    http = apis.create_api(Name="front", ProtocolType="HTTP", Target=function)
    source = f"arn:aws:execute-api:{platform.region}:{platform.account}:{http['ApiId']}/*"
    functions.add_permission(
        FunctionName="shop", StatementId="front", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn=source,
    )  # fmt: skip
    _rest(platform, function)
    _web_socket(platform, function)


def _rest(platform: PlatformProcess, function: str) -> None:
    rest = platform.client("apigateway")
    id_ = rest.create_rest_api(name="back")["id"]
    root = rest.get_resources(restApiId=id_)["items"][0]["id"]
    place = rest.create_resource(restApiId=id_, parentId=root, pathPart="wares")["id"]
    where = {"restApiId": id_, "resourceId": place, "httpMethod": "GET"}
    rest.put_method(**where, authorizationType="NONE", apiKeyRequired=True)
    uri = f"arn:aws:apigateway:{platform.region}:lambda:path/2015-03-31/functions/{function}/invocations"
    rest.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    rest.create_deployment(restApiId=id_, stageName="prod")
    source = f"arn:aws:execute-api:{platform.region}:{platform.account}:{id_}/*/GET/wares"
    platform.client("lambda").add_permission(
        FunctionName="shop", StatementId="back", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn=source,
    )  # fmt: skip
    key = rest.create_api_key(name="partner", value="partner-hidden-partner-hidden", enabled=True)["id"]
    plan = rest.create_usage_plan(
        name="basic", apiStages=[{"apiId": id_, "stage": "prod"}], throttle={"rateLimit": 5.0, "burstLimit": 5}
    )["id"]
    rest.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")


def _web_socket(platform: PlatformProcess, function: str) -> None:
    apis = platform.client("apigatewayv2")
    id_ = apis.create_api(Name="chat", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")[
        "ApiId"
    ]
    uri = f"arn:aws:apigateway:{platform.region}:lambda:path/2015-03-31/functions/{function}/invocations"
    made = apis.create_integration(ApiId=id_, IntegrationType="AWS_PROXY", IntegrationUri=uri)["IntegrationId"]
    apis.create_route(ApiId=id_, RouteKey="$default", Target=f"integrations/{made}")
    apis.create_deployment(ApiId=id_)
    apis.create_stage(ApiId=id_, StageName="dev", AutoDeploy=True)
