"""URLs of subscriptions at rest: without their passwords.

Where a URL has one, an endpoint has its fingerprint in that place, wherever it is kept, looked for and compared, so
that another password is another endpoint; the URL itself is sealed beside it, and opened for requests alone. What is
shown of an endpoint has neither (`names.masked`).
"""

from mayfly.services.topics import names
from mayfly.services.topics.model import Subscription
from mayfly.store.api import Vault

_USE = "endpoint"


class Endpoints:
    """Seals and opens."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def kept(self, given: str) -> str:
        """What is kept of what a caller gave: itself, unless it is a URL with a password."""
        if names.masked(given) == given:
            return given
        return names.with_password(given, self._vault.fingerprint(given.encode(), _USE).hex())

    def sealed(self, uuid: str, given: str) -> bytes | None:
        """What a caller gave, sealed for a subscription; None where there is nothing to seal."""
        return None if self.kept(given) == given else self._vault.seal(given.encode(), _about(uuid))

    def url(self, subscription: Subscription) -> str:
        """Where to send to; `PlatformError` when the password cannot be read any more."""
        if subscription.sealed_url is None:
            return subscription.endpoint
        return self._vault.open(subscription.sealed_url, _about(subscription.uuid)).decode()


def _about(uuid: str) -> str:
    return f"endpoint of subscription {uuid}"
