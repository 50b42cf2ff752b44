"""What `rest-json` and `rest-xml` have in common, and the seam through which each brings its body.

Members of an operation are spread over path labels, query string, headers, status code and body. `rest_requests` reads
them together, `rest_replies` writes them apart; both are handed a `BodyFormat` for what differs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

from mayfly.services.contract import ServiceError

Malformed = Callable[[str, str, Exception], ServiceError]  # member's name on the wire, value, cause
WriteBody = Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class BodyFormat:
    """What a rest protocol adds: its body. The functions compile; what they return runs."""

    content_type: str
    read_members: Callable[[StructureShape], Callable[[bytes], dict[str, Any]]]  # of the input itself
    read_payload: Callable[[Shape], Callable[[bytes], Any]]  # of a payload member
    write_members: Callable[[OperationModel, StructureShape], WriteBody]
    write_payload: Callable[[Shape, str], WriteBody]  # shape, the member's name
    malformed: Malformed


def body_members(shape: StructureShape) -> bool:
    """Whether any member travels in the body."""
    return any("location" not in member.serialization for member in shape.members.values())
