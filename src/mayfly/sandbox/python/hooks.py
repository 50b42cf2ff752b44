"""The runtime hooks of SnapStart, registered through `snapshot_restore_py` as on AWS.

Those before a snapshot run in the reverse order of their registration, each once; those after a restore in its order. A
hook may register further ones, which run too. Where a version's instances do not start from after its init, both kinds
run in each instance, one after the other, so that a function finds what it finds on AWS.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

_PACKAGE = "snapshot_restore_py"
_KIND = "AWS_LAMBDA_INITIALIZATION_TYPE"


class AfterRestoreError(Exception):
    """A hook after the restore raised: what, is the cause."""


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether an instance with these variables runs hooks."""
    return environment.get(_KIND) == "snap-start"


def run_before_snapshot() -> None:
    """Whatever a hook raises."""
    package: Any = sys.modules.get(_PACKAGE)
    if package is not None:  # else the function has imported nothing to register hooks with
        registered = package.get_before_snapshot()
        while registered:
            hook, arguments, options = registered.pop()
            hook(*arguments, **options)


def run_after_restore() -> None:
    """`AfterRestoreError`, also where a hook wants to end the process."""
    package: Any = sys.modules.get(_PACKAGE)
    if package is None:
        return
    try:
        for hook, arguments, options in package.get_after_restore():
            hook(*arguments, **options)
    except BaseException as error:
        raise AfterRestoreError from error
