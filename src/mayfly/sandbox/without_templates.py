"""What a `SandboxFactory` answers that has no shared templates."""

import socket
from collections.abc import Callable, Mapping, Sequence

from mayfly.sandbox.api import Prepared, SandboxSpec, TemplateLostError, TemplateRefusedError


class WithoutTemplates:
    """The part of `SandboxFactory` about templates, for levels that start every sandbox from nothing."""

    level: str

    def refuse_template(self, spec: SandboxSpec) -> None:
        """For `start`: nothing can be forked here."""
        if spec.template is not None:
            raise TemplateLostError(self._why())

    async def prepare_packages(
        self, key: str, spec: SandboxSpec, modules: Sequence[str], environment: Mapping[str, str]
    ) -> Prepared:
        raise TemplateRefusedError(self._why())

    async def prepare_function(
        self,
        key: str,
        spec: SandboxSpec,
        handler: str,
        environment: Mapping[str, str],
        serve: Callable[[socket.socket], Callable[[], None]] | None,
    ) -> Prepared:
        raise TemplateRefusedError(self._why())

    def drop_template(self, key: str) -> None:
        """There is nothing to drop."""

    def template_bytes(self, key: str) -> int:
        return 0

    def _why(self) -> str:
        return f"the level {self.level!r} has no templates"
