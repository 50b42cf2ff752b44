"""Which programs a target's sandbox is to hold, and with which variables. Called by `program`."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from mayfly.engine.api import Target

# What AWS tells the runtime alone.
_OF_THE_RUNTIME = frozenset(
    (
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "_HANDLER",
    )
)


def candidates(target: Target, task_root: str) -> list[tuple[str, ...]]:
    """What to try to start, in this order: a `bootstrap` of the code or of a layer, where nothing else is said."""
    if target.command:
        return [target.command]
    return [(f"{task_root}/bootstrap",), ("/opt/bootstrap",)]


def extensions(target: Target, *, shared: bool) -> dict[str, str]:
    """The external extensions: files in /opt/extensions, by name, with where they are inside.

    `shared`: the sandbox sees the machine's own file system, and its layers where they lie there. What lies in a layer
    or an image belongs to somebody else, so no link is followed on the way.
    """
    sandbox = target.sandbox
    places = [sandbox.root / "opt"] if sandbox.root is not None else list(sandbox.layers)
    found: dict[str, str] = {}
    for place in places:
        directory = place / "extensions"
        if _is_plain(place) and _is_plain(directory):
            for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
                if not entry.is_dir():
                    found[entry.name] = entry.path if shared else f"/opt/extensions/{entry.name}"
    return found


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def environment_of_extensions(variables: Mapping[str, str]) -> dict[str, str]:
    """Those that an extension has of the runtime's."""
    return {name: value for name, value in variables.items() if name not in _OF_THE_RUNTIME}
