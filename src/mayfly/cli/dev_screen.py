"""What `mayfly dev` prints: what functions write, beside their names in colours; errors, with the lines they are of."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from mayfly.cli import source_lines
from mayfly.cli.output import readable

COLOURS = ("cyan", "magenta", "green", "blue", "yellow", "bright_cyan", "bright_magenta", "bright_green", "bright_blue")


class Screen:
    """Of one session. Called by several threads: each line is printed at once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._colours: dict[str, str] = {}
        self._width = 0

    def know(self, labels: Sequence[str]) -> None:
        """Give names their colours and their column."""
        for label in labels:
            self._colours.setdefault(label, COLOURS[len(self._colours) % len(COLOURS)])
        self._width = max((len(label) for label in self._colours), default=0)

    def say(self, label: str, text: str, style: str = "", at: float | None = None) -> None:
        """Some lines, with whose they are before the first one."""
        moment = datetime.fromtimestamp(at) if at is not None else datetime.now()  # noqa: DTZ005, DTZ006  # for people
        for number, line in enumerate(text.split("\n")):
            time, name = (f"{moment:%H:%M:%S} ", label) if number == 0 else (" " * 9, "")
            column = f"{name:<{self._width + 2}}"
            self._print(Text.assemble((time, "dim"), (column, self._colours.get(name, "bold")), (line, style)))

    def event(self, label: str, root: Path, event: dict[str, Any]) -> None:
        """One event of a function's log, whose files are below `root`."""
        message, at = str(event["message"]), event["timestamp"] / 1000
        match source_lines.kind(message):
            case "platform":
                return
            case "report":
                self.say(label, source_lines.figures(message), "dim", at)
            case "notice":
                self.say(label, readable(message).removeprefix("MAYFLY "), "yellow", at)
            case "error":
                self.error(label, root, message, at)
            case _:
                self.say(label, source_lines.shortened(readable(source_lines.said(message))), at=at)

    def error(self, label: str, root: Path, message: str, at: float | None = None) -> None:
        """An error: what, by which way, and where."""
        frames = [frame for frame in source_lines.frames(message) if (root / frame.path).is_file()]
        if not frames:
            self.say(label, source_lines.shortened(readable(source_lines.headline(message))), "red", at)
            return
        self.say(label, source_lines.headline(message), "bold red", at)
        for frame in frames:
            where = f"  {shown(root / frame.path)}:{frame.line}"
            self._indented((where, "bold"), (f" in {frame.name}" if frame.name else "", "dim"))
        self._excerpt(source_lines.excerpt(root / frames[-1].path, frames[-1].line))

    def _excerpt(self, excerpt: source_lines.Excerpt | None) -> None:
        for number, line in excerpt.lines if excerpt is not None else ():
            here = excerpt is not None and number == excerpt.at
            mark = "  > " if here else "    "
            self._indented((mark, "red"), (f"{number:>4} | ", "dim"), (line.expandtabs(4), "bold" if here else "dim"))

    def _indented(self, *parts: tuple[str, str]) -> None:
        self._print(Text.assemble(" " * (9 + self._width + 2), *parts))

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)


def shown(path: Path) -> str:
    """A path as somebody who works here would write it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith(os.path.join("..", "..")) else relative
