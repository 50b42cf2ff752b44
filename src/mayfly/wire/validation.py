"""Input against the model's constraints (placeholder, replaced in the next commit)."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import OperationModel

Validate = Callable[[Mapping[str, Any]], None]


def compile_validator(service: str, protocol: str, model: OperationModel) -> Validate:
    return lambda _params: None
