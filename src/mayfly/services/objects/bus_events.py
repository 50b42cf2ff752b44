"""What the event bus hears of objects: EventBridge's form of S3's events. Pure.

The shape is that of the S3 user guide, "EventBridge event message structure"; `notifications` has the other one, which
functions, queues and topics get.
"""

from typing import Any, Final, NamedTuple

from mayfly.services.contract import RequestContext
from mayfly.services.objects import notifications
from mayfly.services.objects.model import Bucket
from mayfly.services.objects.notifications import Happening
from mayfly.services.objects.versioning import NULL

SOURCE: Final = "aws.s3"


class _Kind(NamedTuple):
    detail_type: str
    more: dict[str, str]


_KINDS: Final = {
    notifications.CREATED_PUT: _Kind("Object Created", {"reason": "PutObject"}),
    notifications.CREATED_COPY: _Kind("Object Created", {"reason": "CopyObject"}),
    notifications.CREATED_COMPLETE: _Kind("Object Created", {"reason": "CompleteMultipartUpload"}),
    notifications.REMOVED_DELETE: _Kind(
        "Object Deleted", {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}
    ),
    notifications.REMOVED_MARKER: _Kind(
        "Object Deleted", {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"}
    ),
    notifications.TAGGING_PUT: _Kind("Object Tags Added", {}),
    notifications.TAGGING_DELETE: _Kind("Object Tags Deleted", {}),
}


class BusEvent(NamedTuple):
    """What `ports.PlatformEvents` is told."""

    detail_type: str
    detail: dict[str, Any]


def told(bucket: Bucket, happening: Happening, context: RequestContext, sequence: int) -> BusEvent | None:
    """The event of what happened; None for what EventBridge is not told."""
    kind = _KINDS.get(happening.event)
    if kind is None:
        return None
    about: dict[str, Any] = {"key": happening.key}
    if happening.size is not None:
        about["size"] = happening.size
    if happening.etag is not None:
        about["etag"] = happening.etag
    if happening.version_id not in (None, NULL):
        about["version-id"] = happening.version_id
    if not happening.event.startswith("ObjectTagging:"):
        about["sequencer"] = f"{sequence:018X}"
    return BusEvent(
        kind.detail_type,
        {
            "version": "0",
            "bucket": {"name": bucket.name},
            "object": about,
            "request-id": context.request_id,
            "requester": context.principal.account or context.account,
            "source-ip-address": context.source_ip,
            **kind.more,
        },
    )
