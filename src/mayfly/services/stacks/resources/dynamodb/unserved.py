"""What AWS has of tables and Mayfly has not: refused, or without effect where nobody can miss the effect."""

from collections.abc import Mapping

from mayfly.services.stacks.resources.schema import BOOLEAN, INTEGER, JSON, STRING, Ignored, Refused, Schema, fields

NO_POLICY = Refused("Mayfly has no resource policies of tables.")
INSIGHTS = Ignored("Mayfly does not rank keys.", fields(Enabled=BOOLEAN, Mode=STRING))
STREAM = Refused("Mayfly has no streams of tables yet.")
BOUNDS = Ignored(
    "A table takes what the machine gives.", fields(MaxReadRequestUnits=INTEGER, MaxWriteRequestUnits=INTEGER)
)
WARMTH = Ignored(
    "A table is always as fast as it can be.", fields(ReadUnitsPerSecond=INTEGER, WriteUnitsPerSecond=INTEGER)
)
ENCRYPTION = Ignored(
    "Tables are as encrypted as the disk under Mayfly's data is.",
    fields(KMSMasterKeyId=STRING, SSEEnabled=BOOLEAN, SSEType=STRING),
)
UNSERVED: Mapping[str, Schema] = {
    "ContributorInsightsSpecification": INSIGHTS,
    "ImportSourceSpecification": Refused("Mayfly does not import tables from buckets."),
    "KinesisStreamSpecification": Refused("Mayfly has no Kinesis data streams yet."),
    "OnDemandThroughput": BOUNDS,
    "PointInTimeRecoverySpecification": Ignored("A table's past is not kept; back the data directory up.", JSON),
    "ResourcePolicy": NO_POLICY,
    "VectorIndexes": Refused("Mayfly has no vector indexes."),
    "WarmThroughput": WARMTH,
}
