"""Models of OpenAPI documents: schemas of their own, and those that stand where a body is described. Pure."""

import json
from typing import Any

from mayfly import ids
from mayfly.services.apis.rest.model import Model
from mayfly.services.apis.rest.schemas import name_of


class Bodies:
    """The models of one document; `models` grows while methods are read."""

    def __init__(self, api_id: str, schemas: dict[str, Any]) -> None:
        self._base = f"https://apigateway.amazonaws.com/restapis/{api_id}/models/"
        self.models: dict[str, Model] = {}
        for name, schema in schemas.items():
            self._add("".join(one for one in name if one.isalnum()), schema)

    def name(self, schema: Any, content_type: str) -> str | None:
        """The model of a schema: the one that it refers to, or one of its own; None where it says nothing."""
        if not isinstance(schema, dict) or not schema:
            return None
        reference = schema.get("$ref")
        if isinstance(reference, str):
            found = name_of(reference)
            name = "".join(one for one in found or "" if one.isalnum())
            return name if name in self.models else None
        return self._add(f"MODEL{ids.digits(6)}", schema, content_type)

    def _add(self, name: str, schema: Any, content_type: str = "application/json") -> str:
        description = schema.get("description") if isinstance(schema, dict) else None
        text = json.dumps(self._local(schema))
        self.models[name] = Model(
            id=ids.token(6), name=name, content_type=content_type, description=description, schema=text
        )
        return name

    def _local(self, value: Any) -> Any:
        """With references to other schemas as references to models."""
        if isinstance(value, list):
            return [self._local(one) for one in value]
        if not isinstance(value, dict):
            return value
        made = {key: self._local(one) for key, one in value.items()}
        reference = made.get("$ref")
        if isinstance(reference, str) and (name := name_of(reference)) is not None:
            made["$ref"] = self._base + "".join(one for one in name if one.isalnum())
        return made
