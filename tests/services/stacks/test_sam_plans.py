"""Templates of SAM become plans, and wrong ones are refused with the translator's words: each subject of SAM once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mayfly.app.vault import FileVault
from mayfly.services.contract import Principal, RequestContext, ServiceError
from mayfly.services.stacks.intake import Intake
from mayfly.services.stacks.planner import Place
from mayfly.services.stacks.resources.registry import Known, resource_types
from mayfly.services.stacks.sealing import Store
from mayfly.store.sqlite import SqliteStore

from .conftest import ACCOUNT, Bucketful

ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
CONTEXT = RequestContext("r", ACCOUNT, "us-east-1", ROOT, "http://127.0.0.1:4566")
PLACE = Place(ACCOUNT, "us-east-1", f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/s/1", "s")
HEAD = "Transform: AWS::Serverless-2016-10-31\n"
FUNCTION = "Type: AWS::Serverless::Function, Properties: {Runtime: python3.12, Handler: a.b, CodeUri: 's3://b/k'"

PLANS = {
    "globals": """
Globals:
  Function: {Runtime: nodejs22.x, Handler: index.handler, CodeUri: s3://b/k, Tags: {team: web}, Timeout: 9}
  SimpleTable: {SSESpecification: {SSEEnabled: true}}
Resources:
  One: {Type: AWS::Serverless::Function}
  Two: {Type: AWS::Serverless::Function, Properties: {Timeout: 3}}
  Table: {Type: AWS::Serverless::SimpleTable}
""",
    "events": """
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Topic: {Type: AWS::SNS::Topic}
  Bucket: {Type: AWS::S3::Bucket}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: a.b
      CodeUri: s3://b/k
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}}
        Topic: {Type: SNS, Properties: {Topic: !Ref Topic, FilterPolicy: {kind: [a]}}}
        Bucket: {Type: S3, Properties: {Bucket: !Ref Bucket, Events: "s3:ObjectCreated:*"}}
        Rule: {Type: EventBridgeRule, Properties: {Pattern: {source: [app]}}}
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 minute)}}
        Timer: {Type: ScheduleV2, Properties: {ScheduleExpression: "cron(0 8 * * ? *)"}}
        Get: {Type: HttpApi, Properties: {Path: /x, Method: get}}
        Put: {Type: Api, Properties: {Path: /x, Method: put}}
""",
    "policy templates and managed policies": """
Resources:
  Table: {Type: AWS::Serverless::SimpleTable}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: a.b
      CodeUri: s3://b/k
      AutoPublishAlias: live
      DeadLetterQueue: {Type: SQS, TargetArn: "arn:aws:sqs:us-east-1:123456789012:q"}
      FunctionUrlConfig: {AuthType: NONE}
      Policies:
        - DynamoDBCrudPolicy: {TableName: !Ref Table}
        - SQSSendMessagePolicy: {QueueName: q}
        - AWSXrayWriteOnlyAccess
        - Statement: [{Effect: Allow, Action: "s3:GetObject", Resource: "*"}]
""",
    "connectors": """
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Table: {Type: AWS::DynamoDB::Table, Properties: {BillingMode: PAY_PER_REQUEST,
    AttributeDefinitions: [{AttributeName: id, AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]}}
  Worker:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.12, Handler: a.b, CodeUri: s3://b/k}
    Connectors: {Send: {Properties: {Destination: {Id: Queue}, Permissions: [Write]}}}
  Reads:
    Type: AWS::Serverless::Connector
    Properties: {Source: {Id: Worker}, Destination: {Id: Table}, Permissions: [Read, Write]}
""",
    "HTTP API": """
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: prod
      CorsConfiguration: {AllowOrigins: ["*"], AllowMethods: [GET]}
      Auth:
        DefaultAuthorizer: Tokens
        Authorizers:
          Tokens:
            IdentitySource: $request.header.Authorization
            JwtConfiguration: {issuer: "https://issuer.example", audience: [app]}
  Worker: {FUNCTION, Events: {Any: {Type: HttpApi, Properties: {ApiId: !Ref Api, Path: "/{proxy+}", Method: any}}}}}
""",
    "REST API": """
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Cors: "'*'"
      Variables: {level: info}
      Models: {Thing: {type: object, required: [id], properties: {id: {type: string}}}}
      Auth:
        Authorizers: {Mine: {FunctionArn: !GetAtt Worker.Arn, Identity: {Header: X-Key}}}
  Worker: {FUNCTION, Events: {Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /x, Method: get,
    Auth: {Authorizer: Mine}}}}}}
""",
    "layers": """
Resources:
  Layer: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: "s3://b/k", RetentionPolicy: Delete}}
  Worker: {FUNCTION, Layers: [!Ref Layer]}}
""",
    "applications": """
Resources:
  App: {Type: AWS::Serverless::Application, Properties: {Location: "https://s3.amazonaws.com/b/k", Parameters: {A: b}}}
Outputs: {Url: {Value: !GetAtt App.Outputs.Url}}
""",
    "conditions": """
Parameters: {Stage: {Type: String, Default: dev}}
Conditions: {Live: !Equals [!Ref Stage, live]}
Resources:
  Worker: {Condition: Live, FUNCTION, MemorySize: !If [Live, 512, 128]}}
  Other: {FUNCTION, Environment: {Variables: {STAGE: !Sub "${Stage}"}}}}
""",
}
REFUSED = {
    "no code": (
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b, Runtime: python3.12}}}",
        "Resource with id [F] is invalid. Only one of 'InlineCode' or 'CodeUri' can be set.",
    ),
    "a policy template that is not there": (
        "Resources: {F: {FUNCTION, Policies: [{NoSuchPolicy: {}}]}}}",
        "Resource with id [F] is invalid.",
    ),
    "an event of no kind": (
        "Resources: {F: {FUNCTION, Events: {E: {Type: Carrier}}}}}",
        "Resource with id [F] is invalid. Event with id [E] is invalid.",
    ),
    "globals of a type that has none": (
        "Globals: {Bucket: {A: b}}\nResources: {F: {FUNCTION}}}",
        "'Globals' section is invalid. 'Bucket' is not supported.",
    ),
    "a connector between what cannot be connected": (
        "Resources: {F: {FUNCTION}}, C: {Type: AWS::Serverless::Connector, Properties: {Source: {Id: F}, "
        "Destination: {Id: F}, Permissions: [Fly]}}}",
        "Resource with id [C] is invalid.",
    ),
}


class Nothing:
    """Operations that no plan needs."""

    async def call(
        self, context: RequestContext, service: str, operation: str, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        raise AssertionError((service, operation))


@pytest.fixture
async def intake(open_store: Callable[..., Awaitable[SqliteStore]], tmp_path: Path) -> AsyncIterator[Intake]:
    store = Store(await open_store("mayfly.services.stacks"), FileVault(tmp_path / "secrets.key"))
    made = Intake(store, Nothing(), Bucketful(), Known(resource_types()))
    yield made
    made.close()


async def planned(intake: Intake, text: str) -> set[str]:
    """The types of what is planned."""
    body = HEAD + text.replace("FUNCTION", FUNCTION)
    capabilities = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    params = {"StackName": "s", "TemplateBody": body, "Capabilities": capabilities}
    prepared = await intake.prepare(CONTEXT, params, PLACE, None)
    return {draft.type for draft in prepared.drafts.values()}


@pytest.mark.asyncio
@pytest.mark.parametrize("subject", PLANS)
async def test_a_template_becomes_a_plan(intake: Intake, subject: str) -> None:
    types = await planned(intake, PLANS[subject])
    assert types
    assert not any(name.startswith("AWS::Serverless::") for name in types)


@pytest.mark.asyncio
@pytest.mark.parametrize("subject", REFUSED)
async def test_a_wrong_template_is_refused_with_the_words_of_the_translator(intake: Intake, subject: str) -> None:
    text, reason = REFUSED[subject]
    with pytest.raises(ServiceError) as caught:
        await planned(intake, text)
    assert caught.value.code == "ValidationError"
    assert caught.value.message.startswith("Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless")
    assert reason in caught.value.message
