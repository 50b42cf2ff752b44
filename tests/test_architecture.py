"""The arrows of docs/design.md, held against the imports that the code really has."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"

# What each part may import, besides itself. `app` is the composition root; nothing imports it but the command line.
FOUNDATION = {"clock", "errors", "ids", "late", "settings"}
MAY_IMPORT: dict[str, set[str]] = {
    "clock": set(),
    "errors": set(),
    "ids": set(),
    "late": {"errors"},
    "settings": set(),
    "policy": FOUNDATION,
    "matching": FOUNDATION,
    "vtl": FOUNDATION,
    "simulator": FOUNDATION | {"policy"},
    "store": FOUNDATION | {"policy"},
    "ticker": FOUNDATION | {"policy", "store"},
    "streams": FOUNDATION | {"store"},
    "sandbox": FOUNDATION | {"policy"},
    "runtime_api": FOUNDATION | {"policy"},
    "web_adapter": FOUNDATION,
    "engine": FOUNDATION | {"policy", "sandbox", "runtime_api", "web_adapter"},
    "egress": FOUNDATION | {"policy", "sandbox"},
    "outgoing": FOUNDATION | {"policy", "egress"},
    "images": FOUNDATION | {"policy", "store"},
    "sandboxes": FOUNDATION | {"policy", "store", "sandbox", "images"},
    "services": FOUNDATION
    | {"policy", "store", "ticker", "streams", "sandbox", "engine", "images", "outgoing", "matching", "vtl"},
    "metering": FOUNDATION | {"policy", "store", "services"},
    "wire": FOUNDATION | {"services"},
    "http": FOUNDATION | {"services", "wire"},
    "front": FOUNDATION | {"policy", "store", "sandbox", "engine", "services", "http"},
    "app": FOUNDATION
    | {
        "policy",
        "store",
        "streams",
        "sandbox",
        "sandboxes",
        "egress",
        "engine",
        "outgoing",
        "images",
        "services",
        "metering",
        "wire",
        "http",
        "front",
    },
    "cli": FOUNDATION | {"app", "sandbox", "simulator"},
}
# What every service may use of the package that all of them live in.
SHARED_BY_SERVICES = {
    "checksums",
    "contract",
    "denials",
    "described_replies",
    "execution_roles",
    "log_shards",
    "page_tokens",
    "patterns",
    "ports",
    "pump",
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((SOURCE / "mayfly").rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imported(name: str, path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every `mayfly` module that a file imports, wherever in the file the import stands."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = f"{base}.{node.module}".strip(".") if node.module else base
            for alias in node.names:
                yield f"{module}.{alias.name}", node


def part(module: str) -> str | None:
    pieces = module.split(".")
    if pieces[0] != "mayfly" or len(pieces) < 2:
        return None
    return pieces[1]


def test_packages_import_only_what_lies_below_them() -> None:
    wrong = []
    for name, path in modules():
        mine = part(name)
        if mine is None or mine == "__main__":
            continue
        assert mine in MAY_IMPORT, f"{name}: add the part {mine!r} to the map in this test and to docs/design.md"
        for target, node in imported(name, path):
            theirs = part(target)
            if theirs in MAY_IMPORT and theirs != mine and theirs not in MAY_IMPORT[mine]:
                wrong.append(f"{path.name}:{node.lineno} {name} -> {target}")
    assert wrong == []


def test_services_never_import_one_another() -> None:
    wrong = []
    for name, path in modules():
        mine = name.split(".")[2:3]
        if not name.startswith("mayfly.services.") or mine[0] in SHARED_BY_SERVICES:
            continue
        for target, node in imported(name, path):
            theirs = target.split(".")[2:3]
            if target.startswith("mayfly.services.") and theirs != mine and theirs[0] not in SHARED_BY_SERVICES:
                wrong.append(f"{path.name}:{node.lineno} {name} -> {target}")
    assert wrong == []


def test_modules_do_not_import_in_circles() -> None:
    known = dict(modules())
    arrows: dict[str, set[str]] = {}
    for name, path in known.items():
        arrows[name] = set()
        for target, _ in imported(name, path):
            while target and target not in known:
                target = target.rpartition(".")[0]
            if target and target != name and not name.startswith(f"{target}."):
                arrows[name].add(target)
    settled: set[str] = set()
    while arrows:
        free = {name for name, targets in arrows.items() if targets <= settled}
        assert free, f"a circle among {sorted(arrows)}"
        settled |= free
        for name in free:
            del arrows[name]
