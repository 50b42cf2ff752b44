"""Every way in which a call on a table can fail, with DynamoDB's codes and wording.

Tables exist only behind DynamoDB's wire, and most messages quote the caller's parameters, so this package speaks in
`ServiceError`s throughout; the expression languages alone have an error of their own (`expressions.ExpressionError`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mayfly.services.contract import ServiceError


class InvalidError(ServiceError):
    """The request contradicts itself, the table or a limit."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class ConditionFailedError(ServiceError):
    """A write's condition did not hold; `item` is what was found, for callers that asked to see it."""

    def __init__(self, item: Mapping[str, Any] | None = None) -> None:
        super().__init__(
            "ConditionalCheckFailedException",
            "The conditional request failed",
            members={} if item is None else {"Item": item},
        )


class TableNotFoundError(ServiceError):
    """No table of that name, in the words of the operations on tables."""

    def __init__(self, name: str) -> None:
        super().__init__("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


class ItemTableNotFoundError(ServiceError):
    """No table of that name, in the words of the operations on items."""

    def __init__(self) -> None:
        super().__init__("ResourceNotFoundException", "Requested resource not found")


class TransactionCanceledError(ServiceError):
    """At least one action of a transaction could not be done, so none was."""

    def __init__(self, reasons: Sequence[Mapping[str, Any]]) -> None:
        codes = ", ".join(reason["Code"] for reason in reasons)
        super().__init__(
            "TransactionCanceledException",
            f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
            members={"CancellationReasons": list(reasons)},
        )


def unsupported(what: str) -> InvalidError:
    """A refusal of a parameter that the model has and Mayfly does not implement."""
    return InvalidError(f"Mayfly does not implement {what}. docs/reference lists what it does implement.")
