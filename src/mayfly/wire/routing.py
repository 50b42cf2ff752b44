"""Which operation a request is for. Pure: text in, a `Target` or an error out.

RPC services name the operation in `X-Amz-Target`, in a form's `Action`, or in an `rpc-v2-cbor` path. Rest services are
matched by a tree of path segments made from their model: literal segments win over labels, labels over greedy labels,
and among operations with the same path those win whose literal query keys, then required query keys and headers, are
there (S3 tells `UploadPart` from `PutObject` this way).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from botocore.model import OperationModel, ServiceModel, StructureShape

from mayfly.wire.exchange import decode_path

_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-].+|(?P<local>.+)\.localhost")
_OTHER_HOSTS = re.compile(r"\.(lambda-url|execute-api)\.")


@dataclass(frozen=True, slots=True)
class Match:
    """An operation and the decoded labels of its path."""

    operation: str
    labels: Mapping[str, str]
    alone: bool = False  # whatever else the request holds, this is what its method and path mean


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An operation at the end of a path and a method, with what the rest of the request must have."""

    operation: str
    literals: tuple[tuple[str, str], ...]  # query keys of `requestUri`; a value of "" fits any
    query: frozenset[str]  # required members in the query string
    headers: frozenset[str]
    labels: tuple[str, ...]  # names, in the order of the path


@dataclass(slots=True)
class _Branch:
    literal: dict[str, "_Branch"] = field(default_factory=dict)
    label: "_Branch | None" = None
    greedy: "_Branch | None" = None
    ends: dict[str, list[_Candidate]] = field(default_factory=dict)  # by method


class PathTable:
    """The paths of one rest service."""

    def __init__(self, model: ServiceModel) -> None:
        self._root = _Branch()
        # In S3 a slash at the end belongs to the key; everywhere else it means nothing.
        self._slash_matters = model.service_name == "s3"
        # Of two operations that look the same from outside, like S3's PutBucketNotification and its successor
        # PutBucketNotificationConfiguration, the first one wins: deprecated ones come last.
        operations = [model.operation_model(name) for name in model.operation_names]
        for operation in sorted(operations, key=lambda operation: operation.deprecated):
            self._add(operation)

    def _add(self, operation: OperationModel) -> None:
        path, _, query = operation.http["requestUri"].partition("?")
        branch, labels = self._root, []
        for segment in _segments(path.partition("#")[0].rstrip("/")):
            label = _LABEL.fullmatch(segment)
            if label is None:
                branch = branch.literal.setdefault(segment, _Branch())
                continue
            labels.append(label[1])
            if label[2]:
                branch.greedy = branch.greedy or _Branch()
                branch = branch.greedy
            else:
                branch.label = branch.label or _Branch()
                branch = branch.label
        branch.ends.setdefault(operation.http["method"], []).append(_candidate(operation, query, tuple(labels)))

    def find(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> Match | None:
        """The operation for a request, by its still encoded path; ValueError when the path is not UTF-8."""
        segments = _segments(path)
        # A slash at the end of a bucket's path, or of any path outside S3, says nothing.
        if segments and segments[-1] == "" and (not self._slash_matters or len(segments) <= 2):
            segments.pop()
        keys = dict(reversed(query))
        alone = True
        for ends, values in self._walk(self._root, segments, 0, ()):
            candidates = ends.get(method, ())
            found = _best(candidates, keys, headers)
            alone = alone and len(candidates) <= 1
            if found is not None:
                labels = {name: decode_path(value) for name, value in zip(found.labels, values, strict=True)}
                return Match(found.operation, labels, alone and not found.literals)
            alone = alone and not candidates
        return None

    def knows(self, path: str) -> bool:
        """Whether some operation, with whatever method, has this path."""
        segments = _segments(path.rstrip("/"))
        return any(True for _ in self._walk(self._root, segments, 0, ()))

    def _walk(
        self, branch: _Branch, segments: list[str], at: int, values: tuple[str, ...]
    ) -> Iterator[tuple[Mapping[str, list[_Candidate]], tuple[str, ...]]]:
        if at == len(segments):
            if branch.ends:
                yield branch.ends, values
            return
        segment = segments[at]
        literal = branch.literal.get(segment)
        if literal is not None:
            yield from self._walk(literal, segments, at + 1, values)
        if branch.label is not None and segment:
            yield from self._walk(branch.label, segments, at + 1, (*values, segment))
        if branch.greedy is not None:
            if not (branch.greedy.literal or branch.greedy.label or branch.greedy.greedy):
                yield branch.greedy.ends, (*values, "/".join(segments[at:]))
                return
            for end in range(at + 1, len(segments) + 1):  # literals after a greedy label win over its eating them
                yield from self._walk(branch.greedy, segments, end, (*values, "/".join(segments[at:end])))


def _segments(path: str) -> list[str]:
    return path.split("/")[1:]


def _candidate(operation: OperationModel, query: str, labels: tuple[str, ...]) -> _Candidate:
    literals = []
    for pair in query.split("&") if query else ():
        key, _, value = pair.partition("=")
        literals.append((key, value))
    needed_query: set[str] = set()
    needed_headers: set[str] = set()
    shape = operation.input_shape
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            traits = shape.members[name].serialization
            if traits.get("location") == "querystring":
                needed_query.add(traits.get("name", name))
            elif traits.get("location") == "header":
                needed_headers.add(traits.get("name", name).lower())
    return _Candidate(
        operation.name,
        tuple(literals),
        frozenset(needed_query),
        frozenset(needed_headers),
        labels,
    )


def _best(candidates: Sequence[_Candidate], query: Mapping[str, str], headers: Mapping[str, str]) -> _Candidate | None:
    """The most specific candidate whose literals are there; one that lacks what it requires only if none is whole."""
    best, best_score = None, (-1, -1, -1)
    for candidate in candidates:
        if candidate.literals and not _has(query, candidate.literals):
            continue
        needed = len(candidate.query) + len(candidate.headers)
        whole = not needed or (candidate.query <= query.keys() and candidate.headers <= headers.keys())
        score = (len(candidate.literals), 1 if whole else 0, needed if whole else -needed)
        if score > best_score:
            best, best_score = candidate, score
    return best


def _has(query: Mapping[str, str], literals: Sequence[tuple[str, str]]) -> bool:
    return bool(query) and all(key in query and value in {"", query[key]} for key, value in literals)


def bucket_of_host(host: str) -> str | None:
    """The bucket that a host names in S3's virtual-hosted style, or None for path style."""
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    name = name.lower()
    if _OTHER_HOSTS.search(name):
        return None
    match = _VIRTUAL_HOST.fullmatch(name)
    if match is None:
        return None
    bucket = match["bucket"] or match["local"]
    return None if bucket == "s3" or bucket.startswith("s3.") else bucket
