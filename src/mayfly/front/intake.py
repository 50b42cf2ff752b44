"""Which requests a front answers itself: a synchronous `Invoke`, and a request to a function URL. Pure: bytes in.

A front decides at the start of a request and by what has arrived then, which is the whole head but for clients that
send it in pieces. The request is a front's only if its length is known from the head alone, in one way that every
reader understands alike; whatever is unusual is the core's. This decides who answers, never what the answer is: both
run the same code.
"""

import re
from typing import Final

NOT_MINE: Final = -1

_INVOKE = re.compile(rb"POST /2015-03-31/functions/[^/ ?]+/invocations(?:\?[^ ]*)? HTTP/1\.1\r\n")
_URL_PATH = re.compile(rb"[A-Z]{3,7} /_mayfly/url/[^ ]+ HTTP/1\.1\r\n")
_URL_HOST = re.compile(rb"\r\nhost: ?[a-z0-9]{1,64}\.lambda-url\.")
_LENGTH = re.compile(rb"\r\ncontent-length: ?(\d{1,9})\r\n")
_SIGNED = re.compile(rb"\r\nauthorization: ?aws4-hmac-sha256 [^\r]*/lambda/aws4_request,")
_OTHER_KIND = re.compile(rb"\r\nx-amz-invocation-type:(?! ?requestresponse\r\n)")
# What makes a request longer, or other, than its head's one Content-Length says; a line that goes on; a name with a
# space behind it.
_UNUSUAL = re.compile(
    rb"\r\n(?:transfer-encoding|expect|upgrade|connection: ?upgrade|[ \t]|[^:\r]*[ \t]:)|[^\r]\n|\r[^\n]"
)


def length_if_mine(data: bytes) -> int:
    """How many bytes the request takes that `data` begins with, or `NOT_MINE`."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return NOT_MINE
    head = data[: end + 2]
    lower = head.lower()
    invoke = _INVOKE.match(head) is not None
    if not invoke and _URL_PATH.match(head) is None and _URL_HOST.search(lower) is None:
        return NOT_MINE
    if invoke and (_SIGNED.search(lower) is None or _OTHER_KIND.search(lower) is not None):
        return NOT_MINE
    if _UNUSUAL.search(lower) is not None:
        return NOT_MINE
    lengths = lower.count(b"\r\ncontent-length")
    if not lengths:
        return end + 4
    length = _LENGTH.search(lower)
    if lengths > 1 or length is None:
        return NOT_MINE
    return end + 4 + int(length[1])
