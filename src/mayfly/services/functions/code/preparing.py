"""What is done with a package before its function runs: bytecode for Python and Node.js, machine code for
WebAssembly."""

from collections.abc import Mapping
from contextlib import AbstractContextManager

from mayfly.sandbox.wasm import artifacts
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults, runtimes
from mayfly.services.functions.code.bytecode import Bytecode
from mayfly.services.functions.code.compile_cache import CompileCaches
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.modules import Modules
from mayfly.services.functions.layers.contents import LayerContents
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.functions.model import Code, Configuration
from mayfly.services.functions.runtimes import RuntimeChoice


class Preparing:
    """Used where packages arrive, and where they are loaded."""

    def __init__(
        self,
        library: CodeLibrary,
        layers: LayerContents,
        modules: Modules,
        caches: CompileCaches,
        levels: FunctionLevels,
        choose: runtimes.Runtimes,
    ) -> None:
        self._library = library
        self._layers = layers
        self._bytecode = Bytecode(library)
        self._modules = modules
        self._caches = caches
        self._levels = levels
        self._choose = choose

    def pinned(self, configuration: Configuration) -> AbstractContextManager[object]:
        """Keeps what a function will use beside its package until it is committed that it does."""
        return self._layers.pinned(configuration.layers)

    async def arrived(
        self, sha256: str, choice: RuntimeChoice, configuration: Configuration, tags: Mapping[str, str]
    ) -> None:
        """Where a package is new to a function. `ServiceError` when no instance could ever run it."""
        await self._layers.ensure(configuration.layers, configuration.runtime)
        if choice.template != artifacts.NAME:
            await self._compile(sha256, choice, configuration, tags)
            return
        verdict = await self._modules.prepare(sha256, configuration.handler)
        if verdict.error is not None:
            raise faults.invalid_parameter(
                f"The function cannot be run: its handler {configuration.handler} {verdict.error}."
            )

    async def configured(
        self, sha256: str, choice: RuntimeChoice, configuration: Configuration, tags: Mapping[str, str]
    ) -> None:
        """Where a function is another one from now on, with the package that it has. A handler that is not in it is
        no error, for the package that has it may be yet to come: instances say what is wrong."""
        await self._layers.ensure(configuration.layers, configuration.runtime)
        if choice.template != artifacts.NAME:
            await self._compile(sha256, choice, configuration, tags)
        else:
            await self._modules.prepare(sha256, configuration.handler)

    async def ensure(self, code: Code, configuration: Configuration, tags: Mapping[str, str]) -> None:
        """Before a function is called that was not for a while: everything is there, also if the machine has become
        another one since; but for what only makes it faster, which is made meanwhile."""
        await self._library.ensure(code)
        await self._layers.ensure(configuration.layers, configuration.runtime)
        if configuration.runtime == artifacts.NAME:
            with self._library.pinned(code.sha256):
                await self._modules.prepare(code.sha256, configuration.handler)
        elif configuration.runtime in runtimes.NODE:
            choice = self._choose(configuration.runtime)
            if isinstance(choice, RuntimeChoice) and (level := self._level(tags)) is not None:
                self._caches.expect(code.sha256, choice, configuration, level, self._layers.tree(configuration.layers))

    async def _compile(
        self, sha256: str, choice: RuntimeChoice, configuration: Configuration, tags: Mapping[str, str]
    ) -> None:
        await self._bytecode.prepare(sha256, choice)
        if (level := self._level(tags)) is not None:
            tree = self._layers.tree(configuration.layers)
            await self._caches.prepare(sha256, choice, configuration, level, tree)

    def _level(self, tags: Mapping[str, str]) -> str | None:
        """The level at which code of the function may run; None: at none."""
        try:
            return self._levels.of(tags)
        except ServiceError:
            return None

    async def close(self) -> None:
        """End what is under way."""
        await self._bytecode.close()
        await self._modules.close()
        await self._caches.close()
