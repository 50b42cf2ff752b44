"""What a change set looks like to people."""

from typing import Any

from mayfly.cli import change_lines


def change(action: str, name: str = "Jobs", **members: Any) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": name,
            "ResourceType": "AWS::SQS::Queue",
            **members,
        },
    }


def detail(path: str, **members: Any) -> dict[str, Any]:
    return {"Target": {"Attribute": "Properties", "Name": path, "Path": f"/Properties/{path}", **members}}


def test_what_is_made_and_removed_is_a_line_each() -> None:
    made, removed = change_lines.lines([change("Add"), change("Remove", "Old")])
    assert (made.mark, made.logical_id, made.kind) == ("+", "Jobs", "AWS::SQS::Queue")
    assert (removed.mark, removed.logical_id, removed.note) == ("-", "Old", "")


def test_what_is_removed_from_the_stack_alone_says_so() -> None:
    (line,) = change_lines.lines([change("Remove", PolicyAction="Retain")])
    assert line.note == "is kept, and no longer part of the stack"


def test_a_changed_property_shows_what_it_was_and_will_be() -> None:
    details = [
        detail("DelaySeconds", BeforeValue="5", AfterValue="10"),
        detail("Tags", AfterValue='[{"Key": "a", "Value": "b"}]'),
    ]
    (line,) = change_lines.lines([change("Modify", Replacement="False", Details=details)])
    assert (line.mark, line.note) == ("~", "")
    assert line.details == ("DelaySeconds: 5 → 10", 'Tags: (none) → [{"Key": "a", "Value": "b"}]')


def test_a_replacement_stands_out_and_names_each_property_once() -> None:
    details = [detail("QueueName", BeforeValue='"a"', AfterValue='"b"'), detail("QueueName")]
    sure, perhaps = change_lines.lines(
        [
            change("Modify", Replacement="True", Details=details),
            change("Modify", Replacement="Conditional", Details=[{**detail("Name"), "CausingEntity": "Other.Arn"}]),
        ]
    )
    assert (sure.mark, sure.note, sure.details) == ("!", "is replaced", ("QueueName: a → b",))
    assert (perhaps.note, perhaps.details) == ("may be replaced", ("Name: follows from Other.Arn",))


def test_long_values_are_cut_and_what_people_wrote_is_no_markup() -> None:
    (line,) = change_lines.lines([change("Modify", Details=[detail("Policy", AfterValue="x" * 500)])])
    assert line.details == ("Policy: (none) → " + "x" * 59 + "…",)
    first, *_ = change_lines.rendered(line._replace(logical_id="[red]Jobs"))
    assert r"\[red]Jobs" in first
