"""Names, URLs and ARNs of queues."""

import re
from urllib.parse import urlsplit

from mayfly.ids import Arn
from mayfly.services.contract import RequestContext
from mayfly.services.queues.errors import InvalidValueError, NoQueueError
from mayfly.services.queues.model import QueueKey

FIFO = ".fifo"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")
_LONGEST_ARN = 256
_HOST = re.compile(r"(?:sqs\.(?P<region>[a-z0-9-]+)|(?P<legacy>[a-z0-9-]+)\.queue)\.amazonaws\.com")


def checked_name(name: str) -> str:
    """`name` if a queue may have it; `InvalidValueError`."""
    plain = name.removesuffix(FIFO)
    if len(name) > 80 or not _NAME.match(plain):
        raise InvalidValueError("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
    return name


def url_of(context: RequestContext, key: QueueKey) -> str:
    """The queue's URL: reachable the way the caller came."""
    return f"{context.endpoint}/{key.account}/{key.name}"


def key_of(context: RequestContext, url: str) -> QueueKey:
    """The queue that a `QueueUrl` names, which may be a URL of any host, a path or, as with SQS, the bare name.

    `NoQueueError` for what cannot be one. The region is the caller's: Mayfly's URLs do not tell it; AWS's do.
    """
    if "/" not in url:
        return QueueKey(context.account, context.region, url)
    if url.startswith(context.endpoint):  # nearly always
        path, region = url[len(context.endpoint) :], context.region
    else:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise NoQueueError from None
        host = _HOST.fullmatch(parts.hostname or "")
        path, region = parts.path, (host["region"] or host["legacy"]) if host is not None else context.region
    pieces = path.rstrip("/").rsplit("/", 2)
    if len(pieces) < 2 or not pieces[-1]:
        raise NoQueueError
    return QueueKey(pieces[-2] or context.account, region, pieces[-1])


def key_of_arn(arn: str) -> QueueKey | None:
    """The queue that an ARN names; None when it names none."""
    if len(arn) > _LONGEST_ARN:
        return None
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return None
    if (
        parsed.service != "sqs"
        or not parsed.region
        or not parsed.account
        or not _NAME.match(parsed.resource.removesuffix(FIFO))
    ):
        return None
    return QueueKey(parsed.account, parsed.region, parsed.resource)
