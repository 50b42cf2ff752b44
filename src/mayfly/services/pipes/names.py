"""ARNs of pipes, and where they live."""

from dataclasses import dataclass

from mayfly.ids import PARTITION, Arn

DESTINATIONS = "api-destinations"


@dataclass(frozen=True, slots=True)
class Home:
    """Where all pipes of this installation live."""

    account: str
    region: str

    def arn(self, name: str) -> str:
        return f"arn:{PARTITION}:pipes:{self.region}:{self.account}:pipe/{name}"

    def name_of(self, arn: str) -> str | None:
        """The name in the ARN of a pipe of this installation; None for any other."""
        prefix = self.arn("")
        return arn.removeprefix(prefix) if arn.startswith(prefix) else None


def service_of(arn: str) -> str:
    """The service in an ARN, API destinations being one of their own; empty for what is none."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        return ""
    return DESTINATIONS if parsed.resource.startswith("api-destination/") else parsed.service
