"""What is remembered of a stack's events for the end of a command."""

import io

from rich.console import Console

from mayfly.cli.stack_progress import StackProgress

STACK = "AWS::CloudFormation::Stack"


def failures(*events: tuple[str, str, str, str]) -> list[tuple[str, str, str]]:
    progress = StackProgress(Console(file=io.StringIO()))
    for name, kind, status, reason in events:
        event = {"LogicalResourceId": name, "ResourceType": kind, "ResourceStatus": status}
        progress.event({**event, "ResourceStatusReason": reason}, "shop")
    return progress.failures


def test_a_stack_that_is_rolled_back_though_no_resource_failed_says_why() -> None:
    taken = "Export q cannot be updated as it is in use by other"
    assert failures(
        ("shop", STACK, "UPDATE_IN_PROGRESS", "User Initiated"),
        ("shop", STACK, "UPDATE_ROLLBACK_IN_PROGRESS", taken),
        ("shop", STACK, "UPDATE_ROLLBACK_COMPLETE", ""),
    ) == [("shop", STACK, taken)]


def test_the_resources_that_failed_are_reason_enough() -> None:
    assert failures(
        ("Queue", "AWS::SQS::Queue", "CREATE_FAILED", "taken"),
        ("Topic", "AWS::SNS::Topic", "CREATE_FAILED", "Resource creation cancelled"),
        ("shop", STACK, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [Queue]."),
    ) == [("Queue", "AWS::SQS::Queue", "taken")]
