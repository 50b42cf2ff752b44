"""What goes into every sandbox: Mayfly's own source, and the packages of /var/runtime as found where Mayfly runs."""

import importlib.util
from pathlib import Path
from typing import Any

from mayfly.errors import PlatformError
from mayfly.sandbox.python import managed
from mayfly.sandbox.wasm import artifacts

_WASM = "mayfly.sandbox.wasm.resident"
# boto3 and what it stands on, and the hooks of SnapStart; a function finds them without bringing them, as on AWS.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six", "snapshot_restore_py")


def source() -> Path:
    """The directory to put on `sys.path` for `import mayfly`."""
    return Path(__file__).resolve().parents[2]


def node_resident() -> dict[str, Any]:
    """What a template of Node.js has in place of the managed Python runtime."""
    return {"module": "mayfly.sandbox.node.resident", "path": [str(source())]}


def node_bootstrap() -> Path:
    """The program that a managed Node.js runs, beside its modules."""
    return source() / "mayfly" / "sandbox" / "node" / "bootstrap.cjs"


def wrapped() -> tuple[tuple[Path, str], ...]:
    """What a function's wrapper starts the managed Python runtime with, and where sandboxes see it."""
    sandbox = source() / "mayfly" / "sandbox"
    return (sandbox / "python", f"{managed.CODE}/python"), (sandbox / "frames.py", f"{managed.CODE}/frames.py")


def packages_of(resident: dict[str, Any] | None) -> tuple[Path, ...]:
    """What a runtime has in /var/runtime; only containers look there for the engine of WebAssembly."""
    if resident is None:
        return packages()
    return (wasmtime() / "wasmtime",) if resident["module"] == _WASM else ()


def packages() -> tuple[Path, ...]:
    """Where the packages lie: directories, or files for modules."""
    places = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            places.append(origin.parent if origin.name == "__init__.py" else origin)
    return tuple(places)


def wasmtime() -> Path:
    """The directory to put on `sys.path` for `import wasmtime`; `PlatformError`."""
    spec = importlib.util.find_spec("wasmtime")
    if spec is None or spec.origin is None:
        raise PlatformError("the package wasmtime is not installed where Mayfly is")
    return Path(spec.origin).parents[1]


def resident(runtime: str) -> dict[str, Any] | None:
    """What a template of `runtime` has in place of the managed Python runtime; see `agent.residents`."""
    if runtime != artifacts.NAME:
        return None
    return {"module": _WASM, "path": [str(source()), str(wasmtime())]}
