"""Events go to the service that their target's ARN names."""

import pytest

from mayfly.app.targets import Targets
from mayfly.services.contract import ServiceError
from mayfly.services.ports import PLAIN, TargetOptions
from mayfly.store.api import Tx

QUEUE = "arn:aws:sqs:us-east-1:000000000000:work"
NO_TX: Tx = None  # type: ignore[assignment]  # nothing here writes


class Taken:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.accepted: list[tuple[str, bytes, TargetOptions]] = []

    async def check(self, arn: str, principal: str, source_arn: str, source_account: str) -> None:
        self.checked.append(arn)

    def accept(self, tx: Tx, arn: str, event: bytes, options: TargetOptions = PLAIN) -> None:
        self.accepted.append((arn, event, options))


async def test_an_event_goes_to_the_service_of_its_target_with_its_options() -> None:
    queues, targets = Taken(), Targets()
    targets.add("lambda", Taken())
    targets.add("sqs", queues)
    await targets.check(QUEUE, "s3.amazonaws.com", "arn:aws:s3:::pictures", "000000000000")
    targets.accept(NO_TX, QUEUE, b"{}", TargetOptions(group_id="g"))
    assert queues.checked == [QUEUE]
    assert queues.accepted == [(QUEUE, b"{}", TargetOptions(group_id="g"))]


@pytest.mark.parametrize(("arn", "message"), [("work", "is no ARN"), ("arn:aws:kinesis:a:b:c", "targets of lambda.")])
def test_what_no_service_takes_is_refused_by_name(arn: str, message: str) -> None:
    targets = Targets()
    targets.add("lambda", Taken())
    with pytest.raises(ServiceError, match=message):
        targets.accept(NO_TX, arn, b"{}")
