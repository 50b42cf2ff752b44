"""What a parameter may be called, and how a request names one, a version of it or a label. Pure."""

import re
from typing import NamedTuple

from mayfly.ids import Arn
from mayfly.services.configs.parameters import faults
from mayfly.services.configs.parameters.model import Place
from mayfly.services.configs.scopes import Scope
from mayfly.services.contract import ServiceError

MOST_LEVELS = 15
MOST_CHARACTERS = 1011  # of a name; its ARN has 37 more at most, of 1,048
_NAME = re.compile(r"[a-zA-Z0-9_.\-/]+")
_PART = re.compile(r"[a-zA-Z0-9_.\-]+")
_RESERVED = ("aws", "ssm")
# Parameters that show a secret: what follows is its name, and after a colon a version or a stage.
SECRET_PREFIX = "/aws/reference/secretsmanager/"  # noqa: S105 - no secret but where they are named


class Named(NamedTuple):
    """What a request names."""

    place: Place
    shown: str  # without a selector
    selector: str = ""  # ":3", ":label", or nothing

    @property
    def label(self) -> str:
        return self.selector[1:]


def place_of(scope: Scope, name: str) -> Place:
    """Where the parameter of that name is; "a" and "/a" are one."""
    return Place(scope, name if name.startswith("/") else f"/{name}")


def parse(scope: Scope, text: str) -> Named:
    """A name or an ARN, with a selector or without; `ServiceError` ParameterNotFound where it can be none."""
    name = text
    if text.startswith("arn:"):
        try:
            arn = Arn.parse(text)
        except ValueError:
            raise faults.not_found(text) from None
        if arn.service != "ssm" or not arn.resource.startswith("parameter/"):
            raise faults.not_found(text)
        if (arn.account, arn.region) != scope:
            raise faults.not_found(text)
        name = arn.resource.removeprefix("parameter")
    head, colon, tail = name.partition(":")
    if ":" in tail:
        raise faults.not_found(text)
    return Named(place_of(scope, head), head, f"{colon}{tail}")


def check_new(name: str) -> None:
    """`ServiceError` unless a parameter may be called so."""
    lowered = name.lower()
    if lowered.startswith("/aws"):
        raise ServiceError("AccessDeniedException", f"No access to reserved parameter name: {name}.")
    in_path = "/" in name
    if lowered.lstrip("/").startswith("ssm" if in_path else _RESERVED) or not _NAME.fullmatch(name):
        raise _malformed(name, in_path=in_path)
    parts = name.removeprefix("/").split("/")
    if not all(parts):
        raise _malformed(name, in_path=True)
    if in_path and not name.startswith("/"):
        raise faults.validation("Parameter name must be a fully qualified name.")
    if len(parts) > MOST_LEVELS:
        raise ServiceError(
            "HierarchyLevelLimitExceededException",
            f"A parameter name hierarchy can have a maximum of {MOST_LEVELS} levels.",
        )
    if len(name) > MOST_CHARACTERS:
        raise faults.validation(f"Parameter name: can't be longer than {MOST_CHARACTERS} characters.")


def check_path(path: str) -> None:
    """`ServiceError` unless it is a path under which parameters may be."""
    parts = path.removeprefix("/").removesuffix("/").split("/")
    fine = path.startswith("/") and (path == "/" or all(_PART.fullmatch(part) for part in parts))
    if not fine:
        raise faults.validation(faults.NAME_RULES)


def under(path: str) -> str:
    """What the names of all parameters under a path begin with."""
    return path if path.endswith("/") else f"{path}/"


def _malformed(name: str, *, in_path: bool) -> ServiceError:
    if in_path or not name.lower().startswith(_RESERVED):
        return faults.validation(
            'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
            "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the "
            "following 3 symbols .-_"
        )
    return faults.validation('Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).')
