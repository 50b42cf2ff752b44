"""What goes into every sandbox: Mayfly's own source, and the packages of /var/runtime as found where Mayfly runs."""

import importlib.util
from pathlib import Path

# boto3 and what it stands on, and the hooks of SnapStart; a function finds them without bringing them, as on AWS.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six", "snapshot_restore_py")


def source() -> Path:
    """The directory to put on `sys.path` for `import mayfly`."""
    return Path(__file__).resolve().parents[2]


def packages() -> tuple[Path, ...]:
    """Where the packages lie: directories, or files for modules."""
    places = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            places.append(origin.parent if origin.name == "__init__.py" else origin)
    return tuple(places)
