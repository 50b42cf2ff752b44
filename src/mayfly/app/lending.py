"""Packages of functions for sandboxes that are made of them: neither service knows the other."""

from mayfly.sandboxes.model import Lent, SandboxMissingError, SandboxRefusedError
from mayfly.services.contract import ServiceError
from mayfly.services.functions.service import FunctionsService


class Lending:
    """See `sandboxes.maker.HasFunctions`."""

    def __init__(self, functions: FunctionsService) -> None:
        self._functions = functions

    async def lend(self, name: str) -> Lent:
        try:
            spec, keep = await self._functions.package(name)
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                raise SandboxMissingError(error.message) from error
            raise SandboxRefusedError(error.message) from error
        if not spec.runtime.startswith("python") or spec.program:
            raise SandboxRefusedError(f"{name} is no function of Python")
        return Lent(spec.runtime, spec.code, spec.level, keep, spec.layers)
