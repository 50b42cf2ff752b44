"""What AWS documents of a type, beside what Mayfly takes: each property is taken, or refused or ignored with a reason.

`documented.json` has the names of properties, of attributes and of what makes a replacement, from the schemas that AWS
publishes of its types (the registry of CloudFormation, us-east-1, November 2026).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from mayfly.services.stacks.resources.registry import resource_types
from mayfly.services.stacks.resources.schema import Entries, Fields, Items, Schema

DOCUMENTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "documented.json").read_text())
# Attributes that AWS's schemas have and its reference does not, or that say what is not known here.
UNKNOWN_ATTRIBUTES = {"AWS::Lambda::Function": {"SnapStartResponse"}}
# What AWS replaces for and Mayfly does not: because it is refused.
REFUSED = {
    "AWS::DynamoDB::Table": {"ImportSourceSpecification"},
    "AWS::Lambda::Version": {"RuntimePolicy"},
    "AWS::S3::Bucket": {"BucketNamePrefix", "BucketNamespace"},
}


def takes(schema: Schema, path: list[str]) -> bool:
    """Whether a schema has a property, or something that stands for all that is below."""
    if isinstance(schema, Items | Entries):
        return takes(schema.of, path)
    if not isinstance(schema, Fields) or not path:
        return True
    return path[0] in schema.members and takes(schema.members[path[0]], path[1:])


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_property_is_taken_or_refused_with_a_reason(name: str) -> None:
    schema = resource_types()[name].schema
    assert [path for path in DOCUMENTED[name]["properties"] if not takes(schema, path.split("."))] == []


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_documented_attribute_is_known(name: str) -> None:
    known = set(resource_types()[name].attributes) | UNKNOWN_ATTRIBUTES.get(name, set())
    assert set(DOCUMENTED[name]["attributes"]) - known == set()


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_aws_replaces_is_replaced(name: str) -> None:
    replaced = set(resource_types()[name].replaced_by) | REFUSED.get(name, set())
    assert set(DOCUMENTED[name]["replaced_by"]) - replaced == set()
