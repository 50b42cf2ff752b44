"""What each function may reach outside its sandbox: asked for by its tags, and the platform's usual for all others.

A tag is what survives every way in which functions are made; see `levels`. As a tag's value has 256 characters, and no
asterisk where AWS's own rules hold, tags whose names begin with `mayfly:egress:` add to the list, and
`.example.com:443` says the same as `*.example.com:443`. Text that is no list, and what cannot be enforced, is refused
when a function is made, configured or tagged, and when it starts.
"""

from collections.abc import Mapping
from hashlib import sha256

from mayfly.policy import egress
from mayfly.policy.egress import Egress, EgressError
from mayfly.sandbox.wasm import artifacts
from mayfly.services.functions import faults
from mayfly.services.functions.levels import FunctionLevels

TAG = "mayfly:egress"
_MORE = f"{TAG}:"


def asked(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that speak of it."""
    return {name: tags[name] for name in sorted(tags) if name == TAG or name.startswith(_MORE)}


class FunctionEgress:
    """Decides."""

    def __init__(self, usual: Egress, levels: FunctionLevels) -> None:
        """`usual`: of functions of which nothing is said."""
        self._usual = usual
        self._levels = levels

    def of(self, tags: Mapping[str, str], runtime: str) -> Egress:
        """What a function with these tags may reach; `ServiceError` when that cannot be said, or not be enforced."""
        told = asked(tags)
        if not told:
            return Egress() if runtime == artifacts.NAME else self._usual
        try:
            wanted = egress.merged(told.values())
        except EgressError as error:
            raise faults.invalid_parameter(f"This function cannot run: {error} (tag {TAG}).") from error
        if runtime == artifacts.NAME and wanted:
            raise faults.invalid_parameter(
                f"This function cannot run: WebAssembly has no sockets, so it cannot reach {wanted} (tag {TAG})."
            )
        if self._levels.of(tags) == "process" and not wanted.everything:
            raise faults.invalid_parameter(
                f"This function cannot run: at the level 'process' it has the machine's network, and egress {wanted} "
                f"cannot be enforced (tag {TAG})."
            )
        return wanted

    def mark(self, tags: Mapping[str, str]) -> str:
        """What is different between deployments that may reach different things; empty for the platform's usual."""
        told = asked(tags)
        return f":{sha256(repr(told).encode()).hexdigest()[:16]}" if told else ""
