"""No list that an export reads ends with its first page."""

import ast
import re
from pathlib import Path

import boto3
import pytest

from mayfly.cli import exports
from mayfly.cli.exports.things import tokens

_FOLDER = Path(exports.__file__).parent
_WHOSE = ("role", "group", "user")  # whose policies are read by operations with names that are put together
_ALL_AT_ONCE = re.compile(r"(?:list|describe)_\w+|get_(?:stages|layer_versions|apis)")


def _literals(node: ast.expr) -> list[str]:
    """What a text in a call may be."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    assert isinstance(node, ast.JoinedStr)
    parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
    return ["".join(whose if part is None else part for part in parts) for whose in _WHOSE]


def _paged() -> list[tuple[str, str]]:
    """Services and operations of all calls of `pages`."""
    found: set[tuple[str, str]] = set()
    for file in _FOLDER.glob("*.py"):
        services = {
            node.targets[0].id: str(node.value.value)
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "pages":
                service, operation = node.args[:2]
                name = services[service.id] if isinstance(service, ast.Name) else _literals(service)[0]
                found |= {(name, one) for one in _literals(operation)}
    return sorted(found)


@pytest.mark.parametrize(("service", "operation"), _paged())
def test_a_list_is_followed_to_its_end(service: str, operation: str) -> None:
    client = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")  # type: ignore[call-overload]  # of any service
    assert client.can_paginate(operation) or all(tokens(client, operation))


def test_what_is_read_at_once_has_no_pages() -> None:
    """Lists that are called by themselves: of tags, and of what is asked for by name."""
    asked: set[str] = set()
    for file in _FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name = node.func.attr
                asked |= {name} if _ALL_AT_ONCE.fullmatch(name) else set()
    # describe_* are of one thing, but for these; list_objects_v2 is asked for the first object alone.
    assert {name for name in asked if name.startswith(("list_", "get_"))} == {
        "get_stages", "list_objects_v2", "list_queue_tags", "list_tags", "list_tags_for_resource"
    }  # fmt: skip
