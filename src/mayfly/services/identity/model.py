"""The things that identity owns, as values, and how IAM names them."""

import base64
import secrets

import msgspec

from mayfly.ids import PARTITION

AWS_MANAGED_PREFIX = f"arn:{PARTITION}:iam::aws:policy/"
ROLE_ID_PREFIX, USER_ID_PREFIX, POLICY_ID_PREFIX = "AROA", "AIDA", "ANPA"
GROUP_ID_PREFIX, PROFILE_ID_PREFIX = "AGPA", "AIPA"


class Role(msgspec.Struct, frozen=True):
    account: str
    name: str
    path: str
    id: str
    trust_policy: str  # JSON text
    description: str
    max_session_s: int
    created_at: float

    @property
    def arn(self) -> str:
        return f"arn:{PARTITION}:iam::{self.account}:role{self.path}{self.name}"


class User(msgspec.Struct, frozen=True):
    account: str
    name: str
    path: str
    id: str
    created_at: float

    @property
    def arn(self) -> str:
        return f"arn:{PARTITION}:iam::{self.account}:user{self.path}{self.name}"


class Group(msgspec.Struct, frozen=True):
    account: str
    name: str
    path: str
    id: str
    created_at: float

    @property
    def arn(self) -> str:
        return f"arn:{PARTITION}:iam::{self.account}:group{self.path}{self.name}"


class InstanceProfile(msgspec.Struct, frozen=True):
    account: str
    name: str
    path: str
    id: str
    created_at: float
    role_id: str | None = None

    @property
    def arn(self) -> str:
        return f"arn:{PARTITION}:iam::{self.account}:instance-profile{self.path}{self.name}"


class AccessKey(msgspec.Struct, frozen=True):
    id: str
    account: str
    user_name: str
    status: str  # "Active" | "Inactive"
    created_at: float


class Policy(msgspec.Struct, frozen=True):
    """A customer managed policy. Its versions are numbered from one; a number is not given twice."""

    account: str
    name: str
    path: str
    id: str
    description: str
    document: str  # JSON text, of the default version
    created_at: float
    default_version: int
    last_version: int
    updated_at: float
    attachments: int

    @property
    def arn(self) -> str:
        return f"arn:{PARTITION}:iam::{self.account}:policy{self.path}{self.name}"


def session_arn(account: str, role_name: str, session_name: str) -> str:
    """The ARN under which a session of a role acts; the role's path is not part of it."""
    return f"arn:{PARTITION}:sts::{account}:assumed-role/{role_name}/{session_name}"


def new_unique_id(prefix: str) -> str:
    """A fresh id of 21 characters in IAM's form, such as `AROA…`."""
    return prefix + base64.b32encode(secrets.token_bytes(11)).decode()[:17]


def folded(name: str) -> str:
    """How two names are compared: IAM's names keep their case but are not distinguished by it."""
    return name.casefold()
