"""What AWS has of buckets and Mayfly has not: refused, or without effect where nobody can miss the effect."""

from collections.abc import Mapping

from mayfly.services.stacks.resources.schema import JSON, STRING, Ignored, Refused, Schema, fields

UNSERVED: Mapping[str, Schema] = {
    "AbacStatus": Refused("Mayfly does not decide by the tags of buckets."),
    "AccelerateConfiguration": Ignored(
        "There is one way to a bucket, and nothing to be accelerated.",
        fields("AccelerationStatus", AccelerationStatus=STRING),
    ),
    "AnalyticsConfigurations": Refused("Mayfly does not analyse how objects are used."),
    "BucketEncryption": Ignored("Objects are as encrypted as the disk under Mayfly's data is.", JSON),
    "BucketNamePrefix": Refused("Give a BucketName."),
    "BucketNamespace": Refused("Names of buckets have one namespace here."),
    "IntelligentTieringConfigurations": Ignored("There is one class of storage.", JSON),
    "InventoryConfigurations": Refused("Mayfly does not write inventories."),
    "LifecycleConfiguration": Ignored("Objects are not expired yet, and there is one class of storage.", JSON),
    "LoggingConfiguration": Ignored("Mayfly does not write access logs of buckets.", JSON),
    "MetadataConfiguration": Refused("Mayfly does not keep tables of what is in a bucket."),
    "MetadataTableConfiguration": Refused("Mayfly does not keep tables of what is in a bucket."),
    "MetricsConfigurations": Ignored("Mayfly does not measure requests to buckets.", JSON),
    "ObjectLockConfiguration": Refused("Mayfly does not lock objects."),
    "ObjectLockEnabled": Refused("Mayfly does not lock objects."),
    "ReplicationConfiguration": Refused("A server of Mayfly is one region, and does not copy buckets to others."),
    "WebsiteConfiguration": Refused("Mayfly does not serve websites from buckets."),
}
