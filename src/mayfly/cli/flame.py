"""A text flame of imports: one line a module, under the one that imported it, with a bar of its time. Pure."""

from collections.abc import Sequence
from typing import Any

MODULE, BAR = 38, 20  # columns; with two figures of 8 and the space between, a line has 78
FULL, LIGHT = "█", "░"
PLAIN_FULL, PLAIN_LIGHT = "#", "-"


def lines(modules: Sequence[dict[str, Any]], scale_ms: float, *, plain: bool) -> list[str]:
    """A heading and a line for each module; a bar of full width is `scale_ms`.

    The full part of a bar is the module's own time, the light part that of what it imported. `plain`: only ASCII.
    """
    own_mark, rest_mark = (PLAIN_FULL, PLAIN_LIGHT) if plain else (FULL, LIGHT)
    drawn = [f"{'Module':<{MODULE}} {'Own ms':>8} {'All ms':>8}"]
    for module in modules:
        own_ms, all_ms = module["own_us"] / 1000, module["total_us"] / 1000
        name = shortened(f"{'  ' * min(module['depth'], 12)}{module['module']}", MODULE, plain=plain)
        own, whole = cells(own_ms, scale_ms), cells(all_ms, scale_ms)
        bar = own_mark * own + rest_mark * (whole - own)
        drawn.append(f"{name:<{MODULE}} {_figure(own_ms):>8} {_figure(all_ms):>8}  {bar}".rstrip())
    return drawn


def cells(value: float, scale: float) -> int:
    """How many of the bar's columns `value` fills."""
    if value >= scale:
        return BAR if scale > 0 else 0
    return round(value / scale * BAR)


def _figure(ms: float) -> str:
    return f"{ms:.1f}" if ms < 100_000 else f"{ms:.0f}"


def shortened(text: str, width: int, *, plain: bool) -> str:
    """`text` in `width` columns: indentation stays, a name that is too long loses its beginning."""
    if len(text) <= width:
        return text
    name = text.lstrip(" ")
    indentation, mark = text[: len(text) - len(name)], "..." if plain else "…"
    return f"{indentation}{mark}{name[len(text) - width + len(mark) :]}"
