"""Documents that are no pattern."""

from collections.abc import Callable

from mayfly.errors import CallerError


class PatternError(CallerError):
    """A document that is no pattern. `reason` says why and where, as AWS words it; the text of the error itself is what
    the service of the dialect answers."""

    def __init__(self, reason: str, prefix: str) -> None:
        super().__init__(f"{prefix}{reason}")
        self.reason = reason


class EventPatternError(PatternError):
    """Not a pattern of events: EventBridge's InvalidEventPatternException."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "Event pattern is not valid. Reason: ")


class FilterPolicyError(PatternError):
    """Not a filter policy: SNS's InvalidParameter. `Subscribe` puts "Attributes Reason: " before the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason if reason.startswith("Filter policy scope") else f"FilterPolicy: {reason}", "Invalid parameter: "
        )


Refusal = Callable[[str], PatternError]  # of a reason
