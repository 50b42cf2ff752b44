"""Requests of the JSON and query protocols, signed so cheaply that a generator of load can make each of its own.

All that differs between two requests of one operation is the body; so the canonical request is a text with one hole,
and a signature is a few hashes.
"""

import hashlib
import hmac
import time


class Signer:
    """Makes whole HTTP requests for one service of one server."""

    def __init__(self, service: str, host: str, variables: dict[str, str]) -> None:
        self._host = host
        now = time.gmtime()
        self._date = time.strftime("%Y%m%dT%H%M%SZ", now)
        day, region = self._date[:8], variables["AWS_REGION"]
        key = b"AWS4" + variables["AWS_SECRET_ACCESS_KEY"].encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key
        self._scope = f"{day}/{region}/{service}/aws4_request"
        self._credential = f"{variables['AWS_ACCESS_KEY_ID']}/{self._scope}"

    def request(self, target: str, body: bytes) -> bytes:
        """The bytes of a request for the operation `target`, "AmazonSQS.SendMessage"."""
        canonical = (
            f"POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:{self._host}\nx-amz-date:{self._date}\n"
            f"x-amz-target:{target}\n\ncontent-type;host;x-amz-date;x-amz-target\n{hashlib.sha256(body).hexdigest()}"
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self._date}\n{self._scope}\n{digest}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        head = (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Date: {self._date}\r\nX-Amz-Target: {target}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self._credential}, "
            f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def form(self, body: bytes) -> bytes:
        """The bytes of a request of the query protocol, whose body is a form."""
        kind = "application/x-www-form-urlencoded"
        canonical = (
            f"POST\n/\n\ncontent-type:{kind}\nhost:{self._host}\nx-amz-date:{self._date}\n"
            f"\ncontent-type;host;x-amz-date\n{hashlib.sha256(body).hexdigest()}"
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{self._date}\n{self._scope}\n{digest}"
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        head = (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {kind}\r\nX-Amz-Date: {self._date}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={self._credential}, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
