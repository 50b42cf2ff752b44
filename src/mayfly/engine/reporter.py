"""An observer that cannot hurt: what it raises is logged, and the instance goes on.

Observers write logs and usage. When one of them fails, the call that it was told about has still ended, and its caller
must still hear so.
"""

import logging

from mayfly.engine.api import Call, Failure, Observer, Outcome, Phase, Target

_log = logging.getLogger(__name__)


class Reporter:
    """Wraps the engine's observer once, for all instances."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def began(self, target: Target, instance: str, at: float, *, restored: bool) -> None:
        try:
            self._observer.began(target, instance, at, restored=restored)
        except Exception:
            _log.exception("the start of instance %s was not recorded", instance)

    def initialized(
        self,
        target: Target,
        instance: str,
        took_ms: float,
        failure: Failure | None,
        *,
        restored: bool,
        phase: Phase = "init",
    ) -> None:
        try:
            self._observer.initialized(target, instance, took_ms, failure, restored=restored, phase=phase)
        except Exception:
            _log.exception("the init of instance %s was not recorded", instance)

    def started(self, target: Target, instance: str, call: Call) -> None:
        try:
            self._observer.started(target, instance, call)
        except Exception:
            _log.exception("the start of call %s was not recorded", call.request_id)

    def output(self, target: Target, instance: str, call: Call | None, lines: list[tuple[float, str]]) -> None:
        try:
            self._observer.output(target, instance, call, lines)
        except Exception:
            _log.exception("%d lines of instance %s were not recorded", len(lines), instance)

    def finished(self, target: Target, call: Call, outcome: Outcome) -> None:
        try:
            self._observer.finished(target, call, outcome)
        except Exception:
            _log.exception("the end of call %s was not recorded", call.request_id)

    def terminated(self, target: Target, instance: str, reason: str) -> None:
        try:
            self._observer.terminated(target, instance, reason)
        except Exception:
            _log.exception("the end of instance %s was not recorded", instance)
