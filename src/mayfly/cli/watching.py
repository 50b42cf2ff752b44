"""`mayfly deploy --watch`: the same deployment again whenever what it was made of changes."""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import typer
from watchfiles import Change, watch

from mayfly.cli import beside, templates
from mayfly.cli.bundling import is_source
from mayfly.cli.output import complaints
from mayfly.cli.packaging import SKIPPED_FOLDERS
from mayfly.cli.sources import ALL_BESIDE, Sources
from mayfly.errors import MayflyError

DEBOUNCE_MS, STEP_MS, FIRST_LOOK_MS = 300, 50, 500
_TRANSIENT = (".swp", ".swx", ".swo", ".tmp", "~", ".pyc")  # what editors write beside a file


def repeat(deploy: Callable[[], None], template: Path, sources: Sources) -> None:
    """Deploy, and again after each change, until Ctrl-C. A deployment that fails says so, and is no reason to end."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            begun = time.time()
            with contextlib.suppress(typer.Exit):
                deploy()
            complaints.print(f"[dim]{time.strftime('%H:%M:%S')}  watching {template.name}; Ctrl-C ends[/]")
            changed = _next_change(template, sources, begun)
            complaints.print(f"[yellow]{', '.join(sorted(changed))} changed: deploying[/]")


def _next_change(template: Path, sources: Sources, since: float) -> set[str]:
    """The names of files that changed after `since` (Unix seconds), once any did."""
    places, projects = _places(template, sources)
    folders = {place if place.is_dir() else place.parent for place in (*places, *projects)}

    def of_it(path: Path) -> bool:
        return _is_of(path, places) or any(not transient(path) and is_source(path, one) for one in projects)

    def concerns(_: Change, path: str) -> bool:
        return of_it(Path(path))

    missed: set[Path] | None = None
    for found in watch(
        *folders,
        watch_filter=concerns,
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        rust_timeout=FIRST_LOOK_MS,
        yield_on_timeout=True,
        raise_interrupt=True,
    ):
        if missed is None:  # it watches, so nothing is missed any more
            missed = changed_since([*places, *projects], since, of_it)
            found = {*found, *((Change.modified, str(path)) for path in missed)}
        if found:
            return {Path(path).name for _, path in found}
    raise KeyboardInterrupt


def changed_since(places: Iterable[Path], since: float, concerns: Callable[[Path], bool]) -> set[Path]:
    """Files at or below `places` that concern anybody and were changed after `since`, in Unix seconds."""
    found = set()
    for path in (path for place in places for path in (place.rglob("*") if place.is_dir() else [place])):
        with contextlib.suppress(OSError):
            if path.is_file() and path.stat().st_ctime >= since and concerns(path):
                found.add(path)
    return found


def _places(template: Path, sources: Sources = ALL_BESIDE) -> tuple[list[Path], list[Path]]:
    """The template, and everything local that it names; of templates nested in it, likewise. And the folders above of
    which sources may be bundled."""
    found: list[Path] = [] if sources.manifest is None else [sources.manifest]
    projects: set[Path] = set()
    left = [template.resolve()]
    while left:
        whole = left.pop()
        if whole in found:
            continue
        found.append(whole)
        with contextlib.suppress(MayflyError):  # it cannot be read now; the next save may mend it
            body = templates.load(whole)
            codes = list(templates.local_code(body, whole.parent, sources))
            found += [code.path for code in codes]
            projects |= {code.project for code in codes if code.project is not None}
            for place in beside.places(body, whole.parent):
                (left if place.kind == "template" else found).append(place.path.resolve())
    return found, sorted(projects)


def _is_of(path: Path, places: list[Path]) -> bool:
    """Whether a file is one of those that a deployment is made of."""
    if transient(path):
        return False
    for place in places:
        if path == place:
            return True
        if place.is_dir() and place in path.parents:
            return SKIPPED_FOLDERS.isdisjoint(path.relative_to(place).parts)
    return False


def transient(path: Path) -> bool:
    """Whether a file is one that editors write beside what is saved."""
    return path.name.endswith(_TRANSIENT) or path.name.startswith(".#") or path.name == "4913"
