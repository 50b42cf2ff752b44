"""Mapping templates that stand in a stack's template: broken ones are refused before anything is made."""

from collections.abc import Iterator
from typing import Any

from mayfly.services.stacks.resources.schema import JSON, STRING, Checked, Entries
from mayfly.services.stacks.template.dynamic import is_dynamic
from mayfly.services.stacks.template.marks import is_unknown
from mayfly.vtl.errors import TemplateError
from mayfly.vtl.template import compile_template

_INTEGRATION = "x-amazon-apigateway-integration"


def _check(text: str, where: str = "") -> None:
    if is_unknown(text) or is_dynamic(text):
        return
    try:
        compile_template(text)
    except TemplateError as error:
        raise ValueError(f"Invalid mapping template specified{where}: {error}") from None


def _check_document(document: Any) -> None:
    """Of an OpenAPI document: what its integrations say, as far as it is known. Its form is the service's to check."""
    for where, text in _texts(document):
        _check(text, f" for {where}")


def _texts(document: Any) -> Iterator[tuple[str, str]]:
    for path, item in _items(document, "paths"):
        for verb, operation in _items({"item": item}, "item"):
            for integration in (operation, item):
                found = integration.get(_INTEGRATION) if isinstance(integration, dict) else None
                yield from _of_integration(f"{verb} {path}", found)


def _of_integration(where: str, integration: Any) -> Iterator[tuple[str, str]]:
    responses = [response for _, response in _items(integration, "responses")]
    for holder, name in ((integration, "requestTemplates"), *((one, "responseTemplates") for one in responses)):
        for kind, text in _items(holder, name):
            if isinstance(text, str):
                yield f"{kind} of {where}", text


def _items(holder: Any, name: str) -> list[tuple[str, Any]]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return list(found.items()) if isinstance(found, dict) else []


TEMPLATES = Entries(Checked(STRING, _check))
DOCUMENT = Checked(JSON, _check_document)
