"""Log streams of instances: what they are called, and which one each living instance writes to."""

from hashlib import sha256

from mayfly.clock import Clock, utc
from mayfly.services.functions.model import LATEST


def log_stream(instance: str, started_at: float, version: str = LATEST, owner: str = "") -> str:
    """The log stream of an instance: `2026/01/31/[$LATEST]` and 32 hexadecimal digits; in a group that functions may
    share, with the name of the `owner`: `2026/01/31/name[$LATEST]…`."""
    return f"{utc(started_at):%Y/%m/%d}/{owner}[{version}]{sha256(instance.encode()).hexdigest()[:32]}"


class Streams:
    """Which log stream each living instance writes to; named when its environment is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._names: dict[str, str] = {}

    def of(self, instance: str, version: str = LATEST, owner: str = "") -> str:
        """The stream of an instance of `version`, the same until `forget`."""
        name = self._names.get(instance)
        if name is None:
            name = self._names[instance] = log_stream(instance, self._clock.now(), version, owner)
        return name

    def adopt(self, instance: str, name: str) -> None:
        """An instance that was made elsewhere writes to the stream of that name."""
        self._names[instance] = name

    def forget(self, instance: str) -> None:
        self._names.pop(instance, None)
