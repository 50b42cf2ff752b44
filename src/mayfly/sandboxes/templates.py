"""Processes that sandboxes are forked from: a Python with modules of a function's package loaded.

One is made for the first sandbox that wants it, inside a sandbox like that one, and kept for the next, with its
package; those that were used least lately go first. A template may be lost at any time: it is made again once. Its
memory, the most that it may have, is there for sandboxes that want it.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from mayfly.sandbox.api import Prepared, Sandbox, SandboxSpec, TemplateLostError, TemplateRefusedError
from mayfly.sandboxes.model import SandboxRefusedError

MOST_TEMPLATES = 4

Keep = Callable[[], contextlib.AbstractContextManager[object]]


class Forks(Protocol):
    """Whoever makes sandboxes and templates: see `SandboxFactory`."""

    async def start(self, spec: SandboxSpec) -> Sandbox: ...

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared: ...

    def drop_template(self, key: str) -> None: ...


class Templates:
    """Those of one service of sandboxes."""

    def __init__(self, factory: Forks) -> None:
        self._factory = factory
        self._memory_mb: dict[str, int] = {}  # by key; the one that was used last is the last
        self._kept: dict[str, contextlib.ExitStack] = {}  # their packages
        self._making = asyncio.Lock()

    @property
    def memory_mb(self) -> int:
        """What all of them may have."""
        return sum(self._memory_mb.values())

    def reduce(self, memory_mb: int) -> None:
        """Give back the ones used least lately until all others have no more than this."""
        while self._memory_mb and self.memory_mb > max(0, memory_mb):
            self._drop(next(iter(self._memory_mb)))

    async def start(
        self, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str], keep: Keep
    ) -> Sandbox:
        """A sandbox that has these modules loaded; `SandboxRefusedError` says why there can be none."""
        key = _key(spec, modules, environment)
        for last in (False, True):
            await self._have(key, spec, modules, environment, keep)
            try:
                return await self._factory.start(dataclasses.replace(spec, template=key))
            except TemplateLostError as error:
                self._drop(key)
                if last:
                    raise SandboxRefusedError(f"the process that has the modules loaded ended: {error}") from error
        raise AssertionError  # the second attempt returns or raises

    async def _have(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str], keep: Keep
    ) -> None:
        async with self._making:
            if key in self._memory_mb:
                self._memory_mb[key] = self._memory_mb.pop(key)
                return
            with contextlib.ExitStack() as kept:
                kept.enter_context(keep())
                try:
                    await self._factory.prepare_packages(key, spec, modules, environment)
                except TemplateRefusedError as error:
                    raise SandboxRefusedError(f"these modules cannot be loaded ahead: {error}") from error
                self._kept[key] = kept.pop_all()
            self._memory_mb[key] = spec.memory_mb
            while len(self._memory_mb) > MOST_TEMPLATES:
                self._drop(next(iter(self._memory_mb)))

    def _drop(self, key: str) -> None:
        self._memory_mb.pop(key, None)
        self._factory.drop_template(key)
        if key in self._kept:
            self._kept.pop(key).close()

    def close(self) -> None:
        for key in list(self._memory_mb):
            self._drop(key)


def _key(spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]) -> str:
    """All that a template is made with."""
    made_with = (
        *(
            spec.runtime,
            str(spec.code),
            [str(layer) for layer in spec.layers],
            spec.level,
            spec.memory_mb,
            spec.ephemeral_mb,
            spec.processes,
            spec.cpus,
        ),
        *(str(spec.egress), list(modules), sorted(environment.items())),
    )
    return f"sandbox:{hashlib.sha256(msgspec.json.encode(made_with)).hexdigest()}"
