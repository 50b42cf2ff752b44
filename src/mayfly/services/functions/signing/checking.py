"""What a code signing configuration makes of a deployment.

Signatures that Lambda knows are AWS Signer's, by keys that AWS alone has: there is nobody here who could sign for a
profile, and nothing to verify a signature against that AWS has made. So no code can be shown to come from an allowed
publisher, signed or not, and all of it is what the policy calls untrusted: `Enforce` refuses the deployment, as AWS
does with code that it cannot verify, and `Warn` lets it pass, says so in the server's log, and counts it in the metric
that AWS counts it in. Nothing ever says that code was verified.
"""

import logging

from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.names import Home
from mayfly.services.functions.signing import names, repository
from mayfly.services.functions.signing.model import SigningConfig
from mayfly.services.ports import MetricCounts
from mayfly.store.api import Reader, Tx

METRIC = "SignatureValidationErrors"

_log = logging.getLogger(__name__)


class SigningCheck:
    """Called where code or layers are about to become a function's."""

    def __init__(self, home: Home, counts: MetricCounts) -> None:
        self._home = home
        self._counts = counts

    def named(self, reader: Reader, arn: str) -> SigningConfig:
        """The configuration that a request wants a function to have; `ServiceError`."""
        config_id = names.config_id(self._home, arn)
        config = repository.find(reader, config_id) if config_id is not None else None
        if config is None:
            raise ServiceError(
                "CodeSigningConfigNotFoundException",
                "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
                f"{arn}.",
                status=404,
                members={"Type": "User"},
            )
        return config

    def refuse(self, reader: Reader, name: str) -> None:
        """`ServiceError` where a function's configuration lets no code through: before any work is done for it."""
        config = repository.of_function(reader, name)
        if config is not None and config.policy == "Enforce":
            raise unverified(name)

    def deployed(self, tx: Tx, name: str, config: SigningConfig | None = None) -> None:
        """Code or layers become a function's with this transaction; `ServiceError` where they may not. `config`: of a
        function that is being created."""
        config = config or repository.of_function(tx, name)
        if config is None:
            return
        if config.policy == "Enforce":
            raise unverified(name)
        tx.after_commit(lambda: self._warn(name, config))

    def _warn(self, name: str, config: SigningConfig) -> None:
        _log.warning("code that nobody has verified was deployed to %s, as %s allows with a warning", name, config.id)
        self._counts.count(METRIC, (("FunctionName", name),))


def unverified(name: str) -> ServiceError:
    return ServiceError(
        "CodeVerificationFailedException",
        "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is "
        f"not configured to accept. Check the provided signature for {name}.",
        status=400,
        members={"Type": "User"},
    )


def refuse_for_image() -> ServiceError:
    return faults.invalid_parameter(
        "CodeSigningConfigArn is not supported for functions created with container images."
    )
