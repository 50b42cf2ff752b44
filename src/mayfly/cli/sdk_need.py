"""Which functions of a template ask for the AWS SDK for JavaScript, which a platform has once it was installed there.

AWS's runtimes of Node.js bring it, so code does not. Pure but for reading what lies beside the template.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mayfly.cli import templates
from mayfly.cli.packaging import SKIPPED_FOLDERS
from mayfly.cli.sources import ALL_BESIDE, Sources

_SOURCES = frozenset((".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"))
_ASKED = re.compile(r"""['"]@aws-sdk/""")
_BROUGHT = "node_modules"
_MOST = 1_000_000  # bytes of a file that are looked at


def asking(template: dict[str, Any], folder: Path, sources: Sources = ALL_BESIDE) -> Iterator[str]:
    """The logical ids of functions whose code names the SDK and does not bring it. A function with layers may find it
    there, and is not among them."""
    shared = template.get("Globals", {}).get("Function", {})
    for logical_id, resource in template["Resources"].items():
        properties = {**shared, **(resource.get("Properties") or {})}
        inline = properties.get("InlineCode") or _inline(properties.get("Code"))
        node = str(properties.get("Runtime", "")).startswith("nodejs")
        if node and isinstance(inline, str) and not properties.get("Layers") and _ASKED.search(inline):
            yield logical_id
    for code in templates.local_code(template, folder, sources):
        resource = template["Resources"][code.logical_id].get("Properties", {})
        layers = resource.get("Layers") or shared.get("Layers")
        if code.wanted.runtime.startswith("nodejs") and not layers and _asks(code.wanted.source):
            yield code.logical_id


def _inline(code: object) -> object:
    return code.get("ZipFile") if isinstance(code, dict) else None


def _asks(source: Path) -> bool:
    if not source.is_dir() or (source / _BROUGHT / "@aws-sdk").is_dir():
        return False
    manifest = source / "package.json"
    if manifest.is_file() and "@aws-sdk/" in manifest.read_text(encoding="utf-8", errors="replace"):
        return False  # npm installs it
    return any(_ASKED.search(path.read_bytes()[:_MOST].decode(errors="replace")) for path in _sources(source))


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            if path.name not in (*SKIPPED_FOLDERS, _BROUGHT):
                yield from _sources(path)
        elif path.suffix in _SOURCES and path.is_file():
            yield path
