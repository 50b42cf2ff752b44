"""Where a request is: the account and the region that its parameters and secrets are of. Pure."""

from typing import NamedTuple

from mayfly.ids import Arn
from mayfly.services.contract import RequestContext


class Scope(NamedTuple):
    """One account in one region."""

    account: str
    region: str

    @classmethod
    def of(cls, context: RequestContext) -> "Scope":
        return cls(context.account, context.region)

    @property
    def key(self) -> str:
        """As rows have it."""
        return f"{self.account}/{self.region}"

    def arn(self, service: str, resource: str) -> str:
        return str(Arn(service, self.region, self.account, resource))


def scope_of_key(key: str) -> Scope:
    """The scope that has the key."""
    account, _, region = key.partition("/")
    return Scope(account, region)
