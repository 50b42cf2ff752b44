"""What services need of one another, as the small Protocols that the composition root fills in; a module a subject.

A service imports these, never another service.
"""

from mayfly.services.ports.calls import (
    CallLedger,
    CallRecords,
    FunctionCall,
    FunctionCalls,
    FunctionReply,
    FunctionStream,
    LogLines,
    ProvisionedUse,
    UsageRecord,
)
from mayfly.services.ports.events import (
    PLAIN,
    UNHEARD,
    DestinationCalls,
    EventTargets,
    MessageAttribute,
    PlatformEvents,
    Source,
    TargetOptions,
    Unheard,
)
from mayfly.services.ports.identity import Credentials, KeySource, Roles, Signatures, SigningKey
from mayfly.services.ports.measures import AlarmStates, Counted, Measured, MetricCounts, MetricSink
from mayfly.services.ports.objects import CodeSource, ObjectSink
from mayfly.services.ports.operations import Operations, SdkOperations, ServiceRequests
from mayfly.services.ports.queues import HeldMessage, QueueMessage, QueueSink, QueueSource, SentMessage
from mayfly.services.ports.streams import ShardInfo, ShardPage, ShardRecord, ShardSource
from mayfly.services.ports.time import Ticker, Ticks
from mayfly.store.api import Vault

__all__ = [
    "PLAIN",
    "UNHEARD",
    "AlarmStates",
    "CallLedger",
    "CallRecords",
    "CodeSource",
    "Counted",
    "Credentials",
    "DestinationCalls",
    "EventTargets",
    "FunctionCall",
    "FunctionCalls",
    "FunctionReply",
    "FunctionStream",
    "HeldMessage",
    "KeySource",
    "LogLines",
    "Measured",
    "MessageAttribute",
    "MetricCounts",
    "MetricSink",
    "ObjectSink",
    "Operations",
    "PlatformEvents",
    "ProvisionedUse",
    "QueueMessage",
    "QueueSink",
    "QueueSource",
    "Roles",
    "SdkOperations",
    "SentMessage",
    "ServiceRequests",
    "ShardInfo",
    "ShardPage",
    "ShardRecord",
    "ShardSource",
    "Signatures",
    "SigningKey",
    "Source",
    "TargetOptions",
    "Ticker",
    "Ticks",
    "Unheard",
    "UsageRecord",
    "Vault",
]
