"""Which versions are exported, and in which steps templates make them."""

from typing import Any

from mayfly.cli.exports.choosing import chosen, spans
from mayfly.cli.exports.history import pruned, steps
from mayfly.cli.exports.references import Template
from mayfly.cli.exports.things import Name, State, Thing
from mayfly.cli.exports.versions import ALIAS, FUNCTION, VERSION
from mayfly.cli.exports.yaml import GetAtt, Ref, Sub

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:l"


def function(sha256: str, **properties: Any) -> Thing:
    own = {"FunctionName": "f", "Code": {}, **properties, "ReservedConcurrentExecutions": 3}
    return Thing(FUNCTION, "f", "f", own, {"Arn": ARN}, sha256=sha256)


def version(number: int, sha256: str, *, optional: bool = True, **properties: Any) -> Thing:
    state = State({"Code": {}, **properties}, sha256)
    return Thing(
        VERSION, f"f {number}", f"{ARN}:{number}", {"FunctionName": Name(FUNCTION, "f")}, foreseen=False,
        optional=optional, number=number, series="f", state=state,
    )  # fmt: skip


def alias(number: int) -> Thing:
    pointed = {"FunctionName": Name(FUNCTION, "f"), "FunctionVersion": Name(VERSION, f"{ARN}:{number}", "Version")}
    return Thing(ALIAS, "f live", f"{ARN}:live", pointed)


def layer(number: int, *, optional: bool = True) -> Thing:
    return Thing(
        "AWS::Lambda::LayerVersion", f"l {number}", f"{LAYER}:{number}", {"LayerName": "l"}, foreseen=False,
        optional=optional, number=number, series="layer l",
    )  # fmt: skip


def named(things: list[Thing]) -> dict[str, Thing]:
    return {thing.name.replace(" ", ""): thing for thing in things}


def test_numbers_are_written_as_people_write_them() -> None:
    assert spans([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"
    assert spans([4]) == "4"


def test_of_versions_the_newest_is_kept_and_what_something_refers_to() -> None:
    notes: list[str] = []
    found = [
        function("d"), version(1, "a"), version(2, "b", Layers=[f"{LAYER}:2"]), version(3, "c"),
        version(4, "d", optional=False), alias(2), layer(1), layer(2), layer(3), layer(4, optional=False),
    ]  # fmt: skip
    kept = chosen(found, notes, every=False)
    assert [thing.name for thing in kept] == ["f", "f 2", "f 4", "f live", "l 2", "l 4"]
    # A layer that only a version has is kept with it, and layers are made one after another.
    assert kept[-1].after == (f"{LAYER}:2",)
    assert notes == [
        "f: versions 1, 3 left out, since nothing names them; --all-versions takes them along",
        "layer l: versions 1, 3 left out, since nothing names them; --all-versions takes them along",
        "f: numbers begin anew where it is deployed: 2, 4 will be 1-2",
        "layer l: numbers begin anew where it is deployed: 2, 4 will be 1-2",
    ]
    everything = chosen(found, [], every=True)
    assert [thing.name for thing in everything] == [thing.name for thing in found]


def test_a_version_that_is_what_the_one_before_it_was_is_that_one() -> None:
    notes: list[str] = []
    kept = chosen([function("a"), version(1, "a"), version(2, "a", optional=False), alias(2)], notes, every=True)
    assert [(thing.name, thing.also) for thing in kept if thing.state is not None] == [("f 1", (f"{ARN}:2",))]
    assert notes == ["f: version 1 stands for 2, which is no different"]


def test_one_template_is_enough_where_the_last_version_is_what_the_function_is() -> None:
    assert steps(named([function("a"), version(1, "a"), alias(1)])) == []
    assert steps(named([function("a")])) == []
    described = function("a", Description="now"), version(1, "a", Description="then")
    assert steps(named([*described])) == []
    # A version without a description would get the function's.
    assert len(steps(named([function("a", Description="now"), version(1, "a")]))) == 1


def test_each_step_has_the_functions_as_they_were() -> None:
    things = named([
        function("c", MemorySize=512), version(1, "a", MemorySize=128), version(2, "b"), version(3, "c"), alias(1),
        Thing("AWS::Lambda::Permission", "p", "", {"FunctionName": Name(ALIAS, f"{ARN}:live")}),
        Thing("AWS::Lambda::Permission", "q", "", {"FunctionName": Name(VERSION, f"{ARN}:2")}),
    ])  # fmt: skip
    first, second, third = steps(things)
    assert first.things["f"].properties == {
        "FunctionName": "f", "Code": {}, "MemorySize": 128, "ReservedConcurrentExecutions": 3
    }  # fmt: skip
    assert "MemorySize" not in second.things["f"].properties
    assert third.versions["f"].number == 3  # which had another size than the function has now
    assert [sorted(step.wanted) for step in (first, second, third)] == [
        ["f", "f1"], ["f", "f1", "f2"], ["f", "f1", "f2", "f3"]
    ]  # fmt: skip
    # What is of a version that is not there yet is not there either, and neither is what is of that.
    assert sorted(first.things) == ["f", "f1", "flive", "p"]
    assert sorted(second.things) == ["f", "f1", "f2", "flive", "p", "q"]


def test_a_template_is_pruned_to_what_is_wanted_and_what_that_refers_to() -> None:
    template = Template(
        {
            "F": {
                "Type": "t",
                "DependsOn": ["D"],
                "Properties": {"Role": GetAtt("R.Arn"), "V": Sub("${P}/${!X}/${S.Arn}")},
            },
            "R": {"Type": "t", "Properties": {"Name": Ref("Q")}},
            "D": {"Type": "t", "Properties": {}},
            "S": {"Type": "t", "Properties": {}},
            "X": {"Type": "t", "Properties": {"F": Ref("F")}},
        },
        {"P": {}, "Q": {}, "Z": {}},
    )
    kept = pruned(template, ["F"])
    assert list(kept.resources) == ["F", "R", "D", "S"]
    assert list(kept.parameters) == ["P", "Q"]
