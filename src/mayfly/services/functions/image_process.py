"""What is executed of an image: what the function's author says, and what the image says where he does not. Pure."""

from collections.abc import Mapping
from typing import Any

from mayfly.images.manifest import Process
from mayfly.services.functions.model import Code, ImageConfig

# Where programs are looked for when the image does not say: what Docker's do then.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def config_of(params: Mapping[str, Any]) -> ImageConfig | None:
    """The ImageConfig of a request; None for an empty one, which goes back to what the image says."""
    config = ImageConfig(
        entry_point=tuple(params.get("EntryPoint", ())) or None,
        command=tuple(params.get("Command", ())) or None,
        working_directory=params.get("WorkingDirectory") or None,
    )
    return None if config == ImageConfig() else config


def command(code: Code, config: ImageConfig | None) -> tuple[str, ...]:
    """The entry point with the command behind it."""
    process, chosen = _process(code), config or ImageConfig()
    return (*(chosen.entry_point or process.entrypoint or ()), *(chosen.command or process.cmd or ()))


def directory(code: Code, config: ImageConfig | None) -> str:
    """Where to execute it."""
    return (config.working_directory if config else None) or _process(code).working_dir or "/"


def variables(code: Code) -> dict[str, str]:
    """The environment that the image brings."""
    return {"PATH": _PATH, **_process(code).variables()}


def _process(code: Code) -> Process:
    return (code.image.process if code.image is not None else None) or Process()
