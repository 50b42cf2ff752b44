"""Code of functions that bring an installed distribution, `parcel`, whose import does what a test says."""

from pathlib import Path

from .talk import CODE

MODULES = ["parcel", "lab"]


def make(directory: Path, source: str, function: str = "", extra: dict[str, str] | None = None) -> Path:
    """A directory with the function `lab.run` (its module begins with `function`) and the distribution."""
    code = directory / "code"
    (code / "parcel").mkdir(parents=True)
    (code / "parcel" / "__init__.py").write_text(source)
    record = ["parcel/__init__.py,,"]
    for name, text in (extra or {}).items():
        (code / name).write_text(text)
    (code / "parcel-1.0.dist-info").mkdir()
    (code / "parcel-1.0.dist-info" / "RECORD").write_text("\n".join([*record, "parcel-1.0.dist-info/RECORD,,", ""]))
    (code / "lab.py").write_text(function + "\n" + (CODE / "lab.py").read_text())
    directory.chmod(0o755)
    return code
