"""What layers hold, for instances: unpacked once a content, compiled like packages, put together once an order.

A library of its own (`<data>/layers`) has the contents, by their digests, and beside them the trees that several of
them become together, named by the digests in their order. Blobs are the truth; all of this is made again when it is
gone.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from mayfly.clock import Clock
from mayfly.services.functions import runtimes
from mayfly.services.functions.code.bytecode import Bytecode
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.layers import merging, uses
from mayfly.services.functions.model import Code, Layer
from mayfly.services.functions.runtimes import RuntimeChoice
from mayfly.settings import FunctionLimits
from mayfly.store.api import Blobs, Store

SEEN_AT = "/opt"


class LayerContents:
    """Owns `<data>/layers`. `open` before the first use, `close` after the last."""

    def __init__(
        self, data: Path, store: Store, blobs: Blobs, limits: FunctionLimits, clock: Clock, choose: runtimes.Runtimes
    ) -> None:
        self.library = CodeLibrary(data, blobs, limits, clock, "layers")
        self._store = store
        self._bytecode = Bytecode(self.library, SEEN_AT)
        self._choose = choose
        self._merging = asyncio.Lock()

    async def open(self) -> None:
        await self.library.open()

    async def close(self) -> None:
        await self._bytecode.close()
        self.library.close()

    def tree(self, layers: Sequence[Layer]) -> Path | None:
        """What becomes /opt, once `ensure` has made it; None where there are no layers."""
        held = uses.held(layers)
        return self.library.directory(uses.tree_of(held)) if held else None

    def pinned(self, layers: Sequence[Layer]) -> ExitStack:
        """Keeps them, and what they become together, from being swept while the context is open."""
        pins, layers = ExitStack(), uses.held(layers)
        for name in {uses.tree_of(layers), *(layer.sha256 for layer in layers)} if layers else ():
            pins.enter_context(self.library.pinned(name))
        return pins

    async def ensure(self, layers: Sequence[Layer], runtime: str) -> None:
        """Have them where instances of a function of `runtime` find them."""
        layers = uses.held(layers)
        if not layers:
            return
        choice = self._choice(runtime)
        with self.pinned(layers):
            for layer in layers:
                await self.library.ensure(Code(layer.sha256, layer.size, layer.unzipped))
            if choice is not None:
                await asyncio.gather(*(self._bytecode.prepare(layer.sha256, choice) for layer in layers))
            if len(layers) > 1:
                await self._merge(layers, choice)

    async def extends(self, sha256: str) -> bool:
        """Whether a content, which is unpacked, brings external extensions."""

        def look() -> bool:
            place = self.library.directory(sha256) / "extensions"
            if not place.is_dir() or place.is_symlink():
                return False
            return any(not entry.is_dir(follow_symlinks=False) for entry in os.scandir(place))

        return await self.library.in_thread(look)

    async def compile(self, sha256: str, named: Sequence[str]) -> None:
        """A content has arrived, for functions of these runtimes."""
        choices = {one.template: one for one in map(self._choice, named) if one is not None}
        for choice in choices.values():
            await self._bytecode.prepare(sha256, choice)

    async def sweep(self, grace_s: float) -> int:
        """Remove what no function has used for `grace_s`; how many directories."""

        async def used() -> frozenset[str]:
            return await self._store.read(uses.trees)

        return await self.library.sweep(used, grace_s)

    def _choice(self, runtime: str) -> RuntimeChoice | None:
        """What compiles for a runtime; None: nothing does."""
        if runtime not in runtimes.PYTHON:
            return None
        choice = self._choose(runtime)
        return choice if isinstance(choice, RuntimeChoice) and choice.interpreter is not None else None

    async def _merge(self, layers: Sequence[Layer], choice: RuntimeChoice | None) -> None:
        name = uses.tree_of(layers)
        sources = [self.library.directory(layer.sha256) for layer in layers]
        async with self._merging:
            target = self.library.directory(name)
            if not target.is_dir():
                await self.library.make(name, partial(merging.merge, sources))
            if choice is None or self.library.marked(name, choice.template):
                return
            # What one of them is still being compiled for is added when the function is looked up the next time.
            compiled = all(self.library.marked(layer.sha256, choice.template) for layer in layers)
            await self.library.in_thread(partial(merging.add_bytecode, sources, target))
            if compiled:
                await self.library.mark(name, choice.template)
