"""JSON schemas of models: references to other models, and whether a body is valid. Pure.

A model refers to another one of its API by a URL whose end is `/models/Name`, or, in an imported document, by
`#/definitions/Name` and `#/components/schemas/Name`. Validation is JSON Schema draft 4.
"""

import json
from collections.abc import Mapping
from typing import Any

from mayfly.services.apis.rest.json_schema import Validator
from mayfly.services.apis.rest.model import Model

_ROOTS = ("#/definitions/", "#/components/schemas/")


def name_of(reference: str) -> str | None:
    """The model that a `$ref` names; None where it stays inside of its own schema."""
    for root in _ROOTS:
        if reference.startswith(root):
            return reference.removeprefix(root)
    _, found, name = reference.rpartition("/models/")
    return name if found else None


def flattened(schema: str, models: Mapping[str, Model]) -> Any:
    """A schema with everything that it refers to among its own definitions."""
    found: dict[str, Any] = {}
    document = _local(json.loads(schema), models, found)
    if found and isinstance(document, dict):
        document["definitions"] = {**document.get("definitions", {}), **found}
    return document


def _local(value: Any, models: Mapping[str, Model], found: dict[str, Any]) -> Any:
    """With references to models made references to definitions; `found`: those, gathered."""
    if isinstance(value, list):
        return [_local(one, models, found) for one in value]
    if not isinstance(value, dict):
        return value
    made = {}
    for key, one in value.items():
        name = name_of(one) if key == "$ref" and isinstance(one, str) else None
        model = models.get(name) if name is not None else None
        if name is None or model is None:
            made[key] = _local(one, models, found)
            continue
        made[key] = f"#/definitions/{name}"
        if name not in found:
            found[name] = {}  # it may refer to itself
            found[name] = _local(json.loads(model.schema or "{}"), models, found)
    return made


def compile_schema(schema: str, models: Mapping[str, Model]) -> Validator:
    """For `fault_of`."""
    return Validator(flattened(schema, models))


def fault_of(validator: Validator, body: bytes) -> str | None:
    """What is wrong about a body; None: nothing."""
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError) as error:
        return f"[Invalid JSON: {error}]"
    wrong = validator.fault(value)
    return None if wrong is None else f"[{wrong}]"
