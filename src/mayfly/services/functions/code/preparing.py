"""What is done with a package before its function runs: bytecode for Python, machine code for WebAssembly."""

from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import faults
from mayfly.services.functions.code.bytecode import Bytecode
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.modules import Modules
from mayfly.services.functions.model import Code, Configuration
from mayfly.services.functions.runtimes import RuntimeChoice


class Preparing:
    """Used where packages arrive, and where they are loaded."""

    def __init__(self, library: CodeLibrary, modules: Modules) -> None:
        self._library = library
        self._bytecode = Bytecode(library)
        self._modules = modules

    async def arrived(self, sha256: str, choice: RuntimeChoice, handler: str) -> None:
        """Where a package is new to a function. `ServiceError` when no instance could ever run it."""
        if choice.template != artifacts.NAME:
            await self._bytecode.prepare(sha256, choice)
            return
        verdict = await self._modules.prepare(sha256, handler)
        if verdict.error is not None:
            raise faults.invalid_parameter(f"The function cannot be run: its handler {handler} {verdict.error}.")

    async def configured(self, sha256: str, choice: RuntimeChoice, handler: str) -> None:
        """Where a function is another one from now on, with the package that it has. A handler that is not in it is
        no error, for the package that has it may be yet to come: instances say what is wrong."""
        if choice.template != artifacts.NAME:
            await self._bytecode.prepare(sha256, choice)
        else:
            await self._modules.prepare(sha256, handler)

    async def ensure(self, code: Code, configuration: Configuration) -> None:
        """Before a function is called that was not for a while: everything is there, also if the machine has become
        another one since."""
        await self._library.ensure(code)
        if configuration.runtime == artifacts.NAME:
            with self._library.pinned(code.sha256):
                await self._modules.prepare(code.sha256, configuration.handler)

    async def close(self) -> None:
        """End what is under way."""
        await self._bytecode.close()
        await self._modules.close()
