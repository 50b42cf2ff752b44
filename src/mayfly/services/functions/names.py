"""How a caller may name a function: by name, partial ARN or full ARN, each with a qualifier or without."""

import re
from dataclasses import dataclass

from mayfly.ids import PARTITION
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.model import LATEST

_REFERENCE = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:(?P<region>[a-z]+(?:-[a-z]+)+-\d):)?(?:(?P<account>\d{12}):)?"
    r"(?:function:)?(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Reference:
    """A function as a request named it; `qualifier` is None when it named none."""

    name: str
    qualifier: str | None = None

    @property
    def names_alias(self) -> bool:
        return self.qualifier is not None and not self.qualifier.isdecimal() and self.qualifier != LATEST

    @property
    def names_latest(self) -> bool:
        """By name, or by naming no qualifier."""
        return self.qualifier in (None, LATEST)


@dataclass(frozen=True, slots=True)
class Home:
    """Where all functions of this installation live."""

    account: str
    region: str

    def arn(self, name: str, qualifier: str | None = None) -> str:
        """The function's ARN, qualified when a qualifier is given."""
        suffix = f":{qualifier}" if qualifier else ""
        return f"arn:{PARTITION}:lambda:{self.region}:{self.account}:function:{name}{suffix}"

    def parse(self, text: str, qualifier: str | None = None) -> Reference:
        """The reference in `text`, with `qualifier` from elsewhere in the request.

        `ServiceError` when the two qualifiers differ, or when `text` is of another region or account.
        """
        if _NAME.fullmatch(text) is not None:
            return Reference(text, qualifier)
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise faults.validation(
                f"Value '{text}' at 'functionName' failed to satisfy constraint: "
                "Member must be the name or the ARN of a function"
            )
        region, account, name, derived = match.group("region", "account", "name", "qualifier")
        if region and region != self.region:
            raise faults.resource_not_found(
                f"Functions from '{region}' are not reachable in this region ('{self.region}')"
            )
        if account and account != self.account:
            raise faults.access_denied(f"Functions of the account {account} are not reachable from {self.account}.")
        if derived and qualifier and derived != qualifier:
            raise faults.invalid_parameter(
                "The derived qualifier from the function name does not match the specified qualifier."
            )
        return Reference(name, derived or qualifier)

    def unqualified(self, text: str) -> str:
        """The name in `text`, for operations on whole functions; `ServiceError` when it carries a qualifier."""
        reference = self.parse(text)
        if reference.qualifier:
            raise faults.invalid_parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
                "operation. Please specify either a function name or an unqualified function ARN."
            )
        return reference.name

    def latest(self, text: str, qualifier: str | None = None) -> Reference:
        """Like `parse`, for operations that change $LATEST; `ServiceError` when it names a version or alias."""
        reference = self.parse(text, qualifier)
        if reference.qualifier not in (None, LATEST):
            raise faults.function_not_found(self.arn(reference.name, reference.qualifier))
        return reference

    def no_such(self, reference: Reference) -> ServiceError:
        """The refusal of most operations when what was named is not there: aliases have their own words."""
        arn = self.arn(reference.name, reference.qualifier)
        if reference.names_alias:
            return faults.resource_not_found(f"Cannot find alias arn: {arn}")
        return faults.function_not_found(arn)
