"""ARNs of schedules and groups, and where they live."""

import re
from dataclasses import dataclass

from mayfly.ids import PARTITION

_GROUP_ARN = re.compile(r"arn:aws[a-z-]*:scheduler:([a-z0-9\-]+):(\d{12}):schedule-group/([0-9a-zA-Z\-_.]+)")


@dataclass(frozen=True, slots=True)
class Home:
    """Where all schedules of this installation live."""

    account: str
    region: str

    def schedule_arn(self, group: str, name: str) -> str:
        return f"arn:{PARTITION}:scheduler:{self.region}:{self.account}:schedule/{group}/{name}"

    def group_arn(self, name: str) -> str:
        return f"arn:{PARTITION}:scheduler:{self.region}:{self.account}:schedule-group/{name}"

    def group_of(self, arn: str) -> str | None:
        """The name in the ARN of a group of this installation; None for any other."""
        match = _GROUP_ARN.fullmatch(arn)
        if match is None or match.group(1, 2) != (self.region, self.account):
            return None
        return match[3]
