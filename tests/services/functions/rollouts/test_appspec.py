"""AppSpecs: what is read of them, and that whatever else arrives is one refusal."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mayfly.policy.rollouts import Limits, Shape
from mayfly.services.contract import ServiceError
from mayfly.services.functions.rollouts.appspec import AppSpec, parse

YAML = """
version: 0.0
Resources:
  - hello:
      Type: AWS::Lambda::Function
      Properties: {Name: hello, Alias: live, CurrentVersion: "1", TargetVersion: 2}
Hooks:
  - BeforeAllowTraffic: check
Mayfly:
  MaxErrors: 2.5%
  MaxLatencyMs: 250
  Shift: {Kind: canary, Percent: 10, EverySeconds: 30}
"""
TARGET = {"Name": "f", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}


def spec(**changes: Any) -> str:
    resource = {"Type": "AWS::Lambda::Function", "Properties": TARGET}
    return json.dumps({"version": 0.0, "Resources": [{"f": resource}], **changes})


def test_yaml_and_json_say_the_same() -> None:
    read = parse(YAML)
    assert read == AppSpec("hello", "live", "1", "2", "check", None, Limits(0.025, 250.0), Shape("canary", 10.0, 30.0))
    assert parse(spec()) == AppSpec("f", "live", "1", "2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "could not be parsed"),
        ("a: &a [1]\nb: *a", "must not use YAML aliases"),
        ("[]", "is not an object"),
        (spec(version=1), "has no version"),
        (spec(Resources=[]), "exactly one resource"),
        (spec(Resources=[{"f": {"Type": "AWS::ECS::Service"}}]), "of the type AWS::Lambda::Function"),
        (spec(Resources=[{"f": {"Type": "AWS::Lambda::Function", "Properties": []}}]), "has no Properties"),
        (spec(Hooks=[{"AfterInstall": "f"}]), "There is no lifecycle event AfterInstall"),
        (spec(Hooks={"BeforeAllowTraffic": "f"}), "must be a list"),
        (spec(Mayfly={"MaxError": 1}), "knows MaxErrors, MaxLatencyMs and Shift"),
        (spec(Mayfly={"MaxErrors": "120%"}), "not 120%"),
        (spec(Mayfly={"MaxErrors": []}), "is wrong"),
        (spec(Mayfly={"MaxLatencyMs": 10**400}), "is wrong"),
        (spec(Mayfly={"Shift": "canary"}), "Shift has Kind"),
        (spec(Mayfly={"Shift": {"Kind": "canary", "Percent": 10}}), "lacks 'EverySeconds'"),
        (spec(Mayfly={"Shift": {"Kind": "canary", "Percent": 100, "EverySeconds": 1}}), "less than 100 %"),
        ("#" * 200_000, "larger than"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(ServiceError, match="InvalidRevisionException") as refused:
        parse(text)
    assert message in refused.value.message


def outcome(text: str) -> str:
    try:
        return type(parse(text)).__name__
    except ServiceError as refused:
        return refused.code


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(["version", "Resources", "Hooks", "Mayfly"])


@given(st.dictionaries(members, values, max_size=4))
def test_whatever_is_there_is_an_appspec_or_one_refusal(changes: dict[str, Any]) -> None:
    assert outcome(spec(**changes)) in ("AppSpec", "InvalidRevisionException")


@given(st.text())
def test_whatever_text_arrives_is_one_refusal(text: str) -> None:
    with pytest.raises(ServiceError, match="InvalidRevisionException"):
        parse(text)
