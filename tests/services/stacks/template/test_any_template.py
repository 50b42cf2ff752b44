"""Whatever stands in a template, it is read or refused: nothing else comes of it."""

import contextlib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mayfly.services.contract import ServiceError
from mayfly.services.stacks.model import Definition
from mayfly.services.stacks.planner import Place, changes, check, draft, exports, judge, outside_keys
from mayfly.services.stacks.predictions import Side, predict
from mayfly.services.stacks.template.document import parse, render
from mayfly.services.stacks.template.extensions import extend, with_policies
from mayfly.services.stacks.template.parameters import Value, bind
from mayfly.services.stacks.template.transforms import declared_names, without_macros

from ..conftest import Thing

TYPES = {Thing.name: Thing()}
PLACE = Place("123456789012", "us-east-1", "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1", "s")
PSEUDO = {"AWS::Region": "us-east-1"}
EXTENSIONS = "AWS::LanguageExtensions"
FUNCTIONS = (
    "Ref", "Condition", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::FindInMap", "Fn::If",
    "Fn::Base64", "Fn::GetAZs", "Fn::Cidr", "Fn::ImportValue", "Fn::GetStackOutput", "Fn::Length", "Fn::ToJsonString",
    "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::ForEach::L", "Fn::Transform", "Fn::Contains", "Fn::RefAll",
    "Fn::Nope",
)  # fmt: skip
NAMES = (
    "A", "B", "P", "L", "M", "C", "X", "AWS::Region", "AWS::NoValue", "A.Arn", "${A}", "${X}", "${A.Arn}${P}", "",
    "{{resolve:ssm:p}}", "{{resolve:x}}", "k", "Arn", "0", "Name", "Label", "Size",
)  # fmt: skip
PLAIN: dict[str, Any] = {
    "Parameters": {"P": {"Type": "String", "Default": "p"}, "L": {"Type": "CommaDelimitedList", "Default": "A,B"}},
    "Mappings": {"M": {"k": {"k": "v", "l": ["a"]}}},
}

scalars = st.sampled_from(NAMES) | st.integers(-2, 9) | st.booleans() | st.none()
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FUNCTIONS), inner, min_size=1, max_size=1)
        | st.dictionaries(st.sampled_from(FUNCTIONS + NAMES), inner, max_size=3)
    ),
    max_leaves=12,
)
# Calls that are nearly right get further than any.
calls = st.one_of(
    st.fixed_dictionaries({"Ref": st.sampled_from(NAMES)}),
    st.fixed_dictionaries({"Fn::GetAtt": st.tuples(st.sampled_from("AB"), scalars).map(list)}),
    st.fixed_dictionaries({"Fn::Sub": st.sampled_from(NAMES) | st.tuples(st.just("${X}"), values).map(list)}),
    st.fixed_dictionaries({"Fn::If": st.tuples(st.just("C"), values, values).map(list)}),
    st.fixed_dictionaries({"Fn::Join": st.tuples(st.just("-"), values).map(list)}),
    st.fixed_dictionaries({"Fn::Select": st.tuples(st.integers(0, 2), values).map(list)}),
    st.fixed_dictionaries(
        {"Fn::FindInMap": st.lists(st.sampled_from(("M", "k", "l")) | values, min_size=3, max_size=4)}
    ),
    values,
)
any_resource = st.fixed_dictionaries(
    {"Type": st.just(Thing.name)},
    optional=dict.fromkeys(("Properties", "Condition", "DependsOn", "DeletionPolicy", "Metadata"), values),
)
resource = st.fixed_dictionaries(
    {
        "Type": st.just(Thing.name),
        "Properties": st.dictionaries(st.sampled_from(("Label", "Kind", "Needs", "Size", "Name")), calls, max_size=2),
    },
    optional={"Condition": st.just("C"), "DependsOn": st.just("A"), "UpdateReplacePolicy": st.just("Retain")},
)
members = st.dictionaries(st.sampled_from(("A", "B", "Fn::ForEach::L")), values, max_size=2)
anything = st.fixed_dictionaries(
    {"Resources": st.dictionaries(st.sampled_from(("A", "B", "Fn::ForEach::L")), any_resource | values, max_size=3)},
    optional=dict.fromkeys(("Parameters", "Mappings", "Conditions", "Outputs", "Rules", "Transform"), members),
)
shaped = st.fixed_dictionaries(
    {
        "Resources": st.fixed_dictionaries({"A": resource}, optional={"B": resource}),
        "Conditions": st.fixed_dictionaries({"C": st.just({"Fn::Equals": ["p", {"Ref": "P"}]}) | values}),
        **{name: st.just(section) for name, section in PLAIN.items()},
    },
    optional={"Outputs": st.fixed_dictionaries({"O": st.fixed_dictionaries({"Value": calls})})},
)
quick = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def planned(raw: dict[str, Any], *transforms: str) -> Side:
    """What a template comes to, by every step that looks at one."""
    values: dict[str, Value] = {"P": "p", "L": ["A", "B"]}
    template = parse(with_policies({key: item for key, item in raw.items() if key != "Transform"}, values, PSEUDO))
    check(template, TYPES)
    definition = Definition(template, bind(template.parameters, {}), transforms=transforms)
    judge(definition, PLACE)
    outside_keys(definition, PLACE)
    exports(definition, PLACE)
    assert parse(render(template)) == template
    return Side(definition, draft(definition, PLACE, TYPES))


@quick
@given(anything | shaped)
def test_any_template_is_planned_or_refused(raw: dict[str, Any]) -> None:
    with contextlib.suppress(ServiceError):
        planned(raw)
    with contextlib.suppress(ServiceError):
        planned(raw, EXTENSIONS)
    with contextlib.suppress(ServiceError):
        declared_names(raw)
        parse(without_macros(raw))
    with contextlib.suppress(ServiceError):
        planned(extend(raw, {"P": "p", "L": ["A", "B"]}, PSEUDO), EXTENSIONS)


@quick
@given(shaped, shaped)
def test_any_two_templates_are_compared(one: dict[str, Any], two: dict[str, Any]) -> None:
    with contextlib.suppress(ServiceError):
        before, after = planned(one), planned(two)
        found = changes(before.drafts, after.drafts, TYPES)
        predicted = predict(found, before, after, {}, PLACE, TYPES)
        assert {change.logical_id for change in found} <= {change.logical_id for change in predicted}
