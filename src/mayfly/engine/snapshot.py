"""The making of a template from after init: runs the function's init once, and keeps its log.

`templates` decides when. On AWS, this is what happens when a version with SnapStart is published: the log of that init
is a stream of its own, which no call belongs to.
"""

import socket
from collections.abc import Callable

from mayfly.clock import Clock
from mayfly.engine.api import EndpointServer, Failure, Prepared, Target
from mayfly.engine.lines import LineSplitter
from mayfly.engine.reporter import Reporter
from mayfly.sandbox.api import (
    SandboxFactory,
    TemplateEndedError,
    TemplateInitError,
    TemplateRefusedError,
    TemplateTimeoutError,
)


class Snapshots:
    """Makes them, one a call of `make`."""

    def __init__(
        self,
        factory: SandboxFactory,
        observer: Reporter,
        new_id: Callable[[], str],
        endpoints: EndpointServer | None,
        clock: Clock,
    ) -> None:
        self._factory = factory
        self._observer = observer
        self._new_id = new_id
        self._endpoints = endpoints
        self._clock = clock

    async def make(self, target: Target) -> Prepared:
        """Whether it is there now, and why not; `TemplateEndedError` when another attempt may succeed."""
        template = self._new_id()

        def serve(endpoint: socket.socket) -> Callable[[], None]:
            if self._endpoints is None:
                return endpoint.close
            return self._endpoints(target, template, endpoint)

        began_at = self._clock.now()
        try:
            environment = await target.environment(template)
            began_at = self._clock.now()
            made = await self._factory.prepare_function(target.key, target.sandbox, target.handler, environment, serve)
        except TemplateInitError as error:
            failure = Failure("init-raised", error.payload)
            self._log(target, template, began_at, error.printed, failure)
            return Prepared(optimized=False, reason=str(error), failure=failure)
        except TemplateEndedError as error:
            self._log(target, template, began_at, error.printed, Failure("exited"))
            raise
        except TemplateRefusedError as error:
            late = Failure("init-timeout") if isinstance(error, TemplateTimeoutError) else None
            self._log(target, template, began_at, error.printed, late)
            return Prepared(optimized=False, reason=str(error))
        else:
            self._log(target, template, began_at, made.printed, None)
            return Prepared(optimized=True)
        finally:
            self._observer.terminated(target, template, "its template was made")

    def _log(
        self, target: Target, template: str, began_at: float, printed: str | None, failure: Failure | None
    ) -> None:
        """What init printed, and how it ended, if anything of the function ran."""
        if printed is None:
            return
        now = self._clock.now()
        splitter = LineSplitter()
        lines = [*splitter.feed(printed.encode("utf-8", "replace")), *splitter.flush()]
        self._observer.began(target, template, began_at, restored=False)
        if lines:
            self._observer.output(target, template, None, [(now, line) for line in lines])
        took_ms = max(0.0, now - began_at) * 1000
        self._observer.initialized(target, template, took_ms, failure, restored=False)
