"""Services that moved from the `query` protocol to `json` and still answer both: what the newer model left out.

A model marked `awsQueryCompatible` no longer says what its lists and errors are called in a form or in XML. Older SDKs
and plain HTTP clients still speak that way, and newer ones put the former codes of errors into their exceptions. Which
names there were is a matter of record (the API reference of SQS); they are laid over botocore's model here.
"""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct


class FormerError(Struct, frozen=True):
    """What an error was called, and came with."""

    code: str
    status: int = 400
    name: str | None = None  # in JSON, where the model has no shape for it


class Former(Struct, frozen=True):
    """One service as it was."""

    namespace: str
    lists: Mapping[str, str]  # the name of an item, by shape
    maps: Mapping[str, tuple[str, str]]  # the names of key and value, by shape
    members: Mapping[tuple[str, str], str]  # of structures, by shape and member
    errors: Mapping[str, FormerError]
    path_member: str  # of inputs: what the path says unless the form does


def _own(code: str, status: int = 400) -> FormerError:
    return FormerError(f"AWS.SimpleQueueService.{code}", status)


_SQS: Final = Former(
    namespace="http://queue.amazonaws.com/doc/2012-11-05/",
    lists={
        "AWSAccountIdList": "AWSAccountId",
        "ActionNameList": "ActionName",
        "AttributeNameList": "AttributeName",
        "BatchResultErrorEntryList": "BatchResultErrorEntry",
        "BinaryList": "BinaryListValue",
        "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
        "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
        "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
        "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
        "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
        "MessageAttributeNameList": "MessageAttributeName",
        "MessageList": "Message",
        "MessageSystemAttributeList": "MessageSystemAttributeName",
        "QueueUrlList": "QueueUrl",
        "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
        "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
        "StringList": "StringListValue",
        "TagKeyList": "TagKey",
    },
    maps={
        "MessageBodyAttributeMap": ("Name", "Value"),
        "MessageBodySystemAttributeMap": ("Name", "Value"),
        "MessageSystemAttributeMap": ("Name", "Value"),
        "QueueAttributeMap": ("Name", "Value"),
        "TagMap": ("Key", "Value"),
    },
    members={
        ("CreateQueueRequest", "Attributes"): "Attribute",
        ("CreateQueueRequest", "tags"): "Tag",
        ("GetQueueAttributesResult", "Attributes"): "Attribute",
        ("ListQueueTagsResult", "Tags"): "Tag",
        ("Message", "Attributes"): "Attribute",
        ("Message", "MessageAttributes"): "MessageAttribute",
        ("SendMessageBatchRequestEntry", "MessageAttributes"): "MessageAttribute",
        ("SendMessageBatchRequestEntry", "MessageSystemAttributes"): "MessageSystemAttribute",
        ("SendMessageRequest", "MessageAttributes"): "MessageAttribute",
        ("SendMessageRequest", "MessageSystemAttributes"): "MessageSystemAttribute",
        ("SetQueueAttributesRequest", "Attributes"): "Attribute",
        ("TagQueueRequest", "Tags"): "Tag",
    },
    errors={
        "BatchEntryIdsNotDistinct": _own("BatchEntryIdsNotDistinct"),
        "BatchRequestTooLong": _own("BatchRequestTooLong"),
        "EmptyBatchRequest": _own("EmptyBatchRequest"),
        "InvalidBatchEntryId": _own("InvalidBatchEntryId"),
        "InvalidParameterValue": FormerError("InvalidParameterValue", name="InvalidParameterValueException"),
        "MessageNotInflight": _own("MessageNotInflight"),
        "MissingParameter": FormerError("MissingParameter", name="MissingRequiredParameterException"),
        "OverLimit": FormerError("OverLimit", 403),
        "PurgeQueueInProgress": _own("PurgeQueueInProgress", 403),
        "QueueDeletedRecently": _own("QueueDeletedRecently"),
        "QueueDoesNotExist": _own("NonExistentQueue"),
        "QueueNameExists": FormerError("QueueAlreadyExists"),
        "ResourceNotFoundException": FormerError("ResourceNotFoundException", 404),
        "TooManyEntriesInBatchRequest": _own("TooManyEntriesInBatchRequest"),
        "UnsupportedOperation": _own("UnsupportedOperation"),
    },
    path_member="QueueUrl",
)

FORMER: Final[Mapping[str, Former]] = MappingProxyType({"sqs": _SQS})
_NO_ERRORS: Final[Mapping[str, FormerError]] = MappingProxyType({})


def former_errors(service: str) -> Mapping[str, FormerError]:
    """Former errors of a service, by the name of the shape or the code that handlers give."""
    former = FORMER.get(service)
    return former.errors if former is not None else _NO_ERRORS


def former_description(service: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The model that a service had when it spoke `query`, from the one that it has now."""
    former = FORMER[service]
    metadata = {**given["metadata"], "protocol": "query", "xmlNamespace": former.namespace}
    shapes: dict[str, Any] = copy.deepcopy(given["shapes"])
    operations: dict[str, Any] = copy.deepcopy(given["operations"])
    for name, item in former.lists.items():
        shapes[name]["member"]["locationName"] = item
    for name, (key, value) in former.maps.items():
        shapes[name]["key"]["locationName"] = key
        shapes[name]["value"]["locationName"] = value
    for (name, member), spelt in former.members.items():
        shapes[name]["members"][member]["locationName"] = spelt
    for operation in operations.values():
        if "output" in operation:
            operation["output"]["resultWrapper"] = f"{operation['name']}Result"
    return {**given, "metadata": metadata, "shapes": shapes, "operations": operations}
