"""How many instances may be kept ready, for whatever reason: the reservation of the function pays for them, or what the
account has not reserved. Called inside the transaction that asks for them."""

from mayfly.services.functions import faults, repository, version_repository
from mayfly.settings import FunctionLimits
from mayfly.store.api import Reader


def check(reader: Reader, limits: FunctionLimits, name: str, others: int, wanted: int) -> None:
    """`ServiceError` unless `wanted` instances may be kept besides the `others` that the function keeps already."""
    function = repository.find(reader, name)
    assert function is not None, "it was found in this transaction"
    if function.reserved_concurrency is not None:
        if others + wanted > function.reserved_concurrency:
            raise faults.invalid_parameter(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution "
                "for function"
            )
        return
    taken = repository.reserved_by_others(reader, "") + version_repository.kept_by_others(reader, name)
    unreserved = limits.account_concurrency - taken - others
    if wanted > unreserved:
        raise faults.invalid_parameter(
            "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency "
            f"[{unreserved}]."
        )
    if unreserved - wanted < limits.unreserved_minimum:
        raise faults.invalid_parameter(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
            f"its minimum value of [{limits.unreserved_minimum}]."
        )
