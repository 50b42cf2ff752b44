"""How templates of packages were made, so that those of a server's last life are made again before they are needed.

Kept are recipes of templates that there are, or were before a restart, where a start that waits for the template is
better off than one that imports by itself. `told` and `recall` carry them over a restart, for whoever stores them
(`app/known_templates.py`). A recipe is a hint: without it, or when it leads to no template, the first start teaches
what there is to import. `templates` alone decides.
"""

import asyncio
import sys
from collections.abc import Iterable
from typing import NamedTuple

from mayfly.policy import templates as policy

# Twice as many as there are templates at most: those that there are, and as many that nobody asked for since the start.
MOST_RECIPES = 128


class Recipe(NamedTuple):
    """How the template of one target is made."""

    key: str
    modules: tuple[str, ...]  # in the order of their first import
    saved_ms: float  # what importing them took in an instance without a template
    made_ms: float = 0.0  # what the making took; 0: it was never made


class Told(NamedTuple):
    """What changed since it was told last."""

    kept: list[Recipe]  # made, or used
    gone: list[str]  # keys


class Recipes:
    """By key of the target."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()  # there is something new to tell
        self._known: dict[str, Recipe] = {}
        self._used: set[str] = set()
        self._gone: set[str] = set()

    def recall(self, recipes: Iterable[Recipe]) -> None:
        """What was told in an earlier life."""
        for one in recipes:
            if len(self._known) < MOST_RECIPES:
                modules = tuple(sys.intern(name) for name in one.modules)  # which many functions have in common
                self._known[one.key] = one._replace(modules=modules)

    def get(self, key: str) -> Recipe | None:
        return self._known.get(key)

    def made(self, recipe: Recipe) -> None:
        """There is a template that was made so; kept if waiting for it would have paid."""
        if not policy.pays(recipe.saved_ms, recipe.made_ms):
            self.forget(recipe.key)
            return
        self._known[recipe.key] = recipe
        self._gone.discard(recipe.key)
        self._used.add(recipe.key)
        self.changed.set()

    def used(self, key: str) -> None:
        """An instance started from the template."""
        if key in self._known:
            self._used.add(key)

    def forget(self, key: str) -> None:
        """Its template is not to be made so again."""
        if self._known.pop(key, None) is not None:
            self._used.discard(key)
            self._gone.add(key)
            self.changed.set()

    def told(self) -> Told:
        """What is to be stored: what was made or used since the last time, and what is gone."""
        told = Told([self._known[key] for key in self._used], list(self._gone))
        self._used.clear()
        self._gone.clear()
        self.changed.clear()
        return told
