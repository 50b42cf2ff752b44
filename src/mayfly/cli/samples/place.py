"""Where and when a sample event happens; handed to everything that makes one, so that a sample can be made again."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Place:
    """An account in a region at a moment. `new_id` gives UUIDs."""

    account: str
    region: str
    now: datetime
    new_id: Callable[[], str]

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something in it."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    @property
    def millis(self) -> int:
        """Unix milliseconds."""
        return int(self.now.timestamp() * 1000)

    @property
    def iso(self) -> str:
        """`2026-01-31T12:00:00Z`."""
        return self.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def iso_millis(self) -> str:
        """`2026-01-31T12:00:00.000Z`."""
        return self.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.millis % 1000:03d}Z"

    @property
    def common_log(self) -> str:
        """`31/Jan/2026:12:00:00 +0000`."""
        months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
        now = self.now.astimezone(UTC)
        return f"{now.day:02d}/{months[now.month - 1]}/{now:%Y:%H:%M:%S} +0000"


def md5(text: str) -> str:
    """As services tell of a message."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
