"""Cases of S3, SQS and DynamoDB."""

from tests.services.stacks.resources.case import Case, World

QUEUE_URL = "http://127.0.0.1:4566/000000000000/contract"
SENDING = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
BY_AGE = {
    "IndexName": "by-age",
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
TAG = [{"Key": "k", "Value": "v"}]


def reading(bucket: str, effect: str) -> dict[str, object]:
    statement = {
        "Effect": effect,
        "Principal": "*",
        "Action": ["s3:GetObject"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def cases(world: World) -> list[Case]:
    return [
        Case(
            "AWS::S3::Bucket",
            {
                "Tags": TAG,
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"},
                "BucketEncryption": {"ServerSideEncryptionConfiguration": []},
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            },
            {
                "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "Id": "i",
                                                     "ExposedHeaders": ["x-a"], "MaxAge": "5"}]},
                "VersioningConfiguration": {"Status": "Enabled"},
                "Tags": [],
            },
        ),
        Case(
            "AWS::S3::Bucket",
            {
                "NotificationConfiguration": {
                    "QueueConfigurations": [
                        {"Event": "s3:ObjectCreated:*", "Queue": world.queue,
                         "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "in/"}]}}}
                    ],
                    "EventBridgeConfiguration": {"EventBridgeEnabled": "true"},
                },
                "AccessControl": "Private",
            },
            {"NotificationConfiguration": {"TopicConfigurations": [{"Event": "s3:ObjectRemoved:*",
                                                                    "Topic": world.topic}]}},
        ),
        Case("AWS::S3::BucketPolicy", {"Bucket": world.bucket, "PolicyDocument": reading(world.bucket, "Deny")},
             {"PolicyDocument": reading(world.bucket, "Allow")}),
        Case(
            "AWS::SQS::Queue",
            {"VisibilityTimeout": "60", "FifoQueue": "true", "KmsMasterKeyId": "alias/aws/sqs", "Tags": TAG},
            {"VisibilityTimeout": 90, "ContentBasedDeduplication": "true", "Tags": []},
        ),
        Case("AWS::SQS::Queue", {"RedrivePolicy": {"deadLetterTargetArn": world.queue, "maxReceiveCount": "3"}},
             {"RedriveAllowPolicy": {"redrivePermission": "denyAll"}, "DelaySeconds": "5"}),
        Case("AWS::SQS::QueuePolicy", {"PolicyDocument": SENDING, "Queues": [QUEUE_URL]},
             {"PolicyDocument": {**SENDING, "Id": "other"}}),
        Case("AWS::SQS::QueueInlinePolicy", {"PolicyDocument": SENDING, "Queue": QUEUE_URL},
             {"PolicyDocument": {**SENDING, "Id": "other"}}),
        Case(
            "AWS::DynamoDB::Table",
            {
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "end", "Enabled": "true"},
                "SSESpecification": {"SSEEnabled": "true"},
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "Tags": TAG,
            },
            {
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"},
                                         {"AttributeName": "a", "AttributeType": "N"}],
                "GlobalSecondaryIndexes": [{**BY_AGE, "ContributorInsightsSpecification": {"Enabled": "false"}},
                                           {**BY_AGE, "IndexName": "again"}],
                "TimeToLiveSpecification": {"Enabled": "false", "AttributeName": "end"},
                "DeletionProtectionEnabled": "true",
                "Tags": [],
            },
        ),
        Case(
            "AWS::DynamoDB::GlobalTable",
            {
                "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
                "BillingMode": "PAY_PER_REQUEST",
                "Replicas": [{"Region": "us-east-1", "Tags": TAG,
                              "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}],
            },
            {"TimeToLiveSpecification": {"AttributeName": "end", "Enabled": "true"}},
        ),
    ]  # fmt: skip
