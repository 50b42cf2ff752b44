"""botocore's service models: found by name, target prefix or signing name, loaded on first use, kept.

The index of all services reads only the head of each model file (about 0.1 s for all of them), and is made the first
time that a request names something that the services at hand do not explain. Loading a model takes 3-30 ms, EC2's 80.

Every service in use keeps its model, so models are kept small: as botocore reads them, those of twelve services took
19 MB, and take 9 here. And what is looked at through a `ServiceModel` stays with it (an object for each use of a
shape), so each user gets one of its own, which goes when it has read what it needs. With all operations compiled, the
twelve services take 17 MB, and took 44.
"""

import gzip
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.loaders import JSONFileLoader, Loader
from botocore.model import ServiceModel

from mayfly.wire.former_query import former_description

MAX_MODELS = 64  # that are remembered; EC2's alone takes 15 MB
_HEAD = 4096  # bytes; every model file starts with its metadata


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What routing must know of a service without loading its operations."""

    name: str
    signing_name: str
    endpoint_prefix: str
    protocols: tuple[str, ...]
    target_prefix: str | None
    api_version: str
    service_id: str  # as AWS's SDKs name it: "CloudWatch Logs"


@dataclass(frozen=True, slots=True)
class ServiceIndex:
    """Services by what a request may name them with."""

    by_name: Mapping[str, ServiceFacts] = field(default_factory=dict)
    by_scope: Mapping[str, tuple[ServiceFacts, ...]] = field(default_factory=dict)
    by_target: Mapping[str, tuple[ServiceFacts, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, services: Iterable[ServiceFacts]) -> "ServiceIndex":
        by_name: dict[str, ServiceFacts] = {}
        by_scope: dict[str, tuple[ServiceFacts, ...]] = {}
        by_target: dict[str, tuple[ServiceFacts, ...]] = {}
        for facts in sorted(services, key=lambda each: each.name):
            by_name[facts.name] = facts
            by_scope[facts.signing_name] = (*by_scope.get(facts.signing_name, ()), facts)
            if facts.target_prefix:
                by_target[facts.target_prefix] = (*by_target.get(facts.target_prefix, ()), facts)
        return cls(by_name, by_scope, by_target)


class Models:
    """All models of the installed botocore. Safe to use from several threads: at worst a model is loaded twice."""

    def __init__(self) -> None:
        self._loader = Loader()  # for what is small; it keeps whatever it ever loaded
        self._descriptions: dict[str, Mapping[str, Any]] = {}
        self._facts: dict[str, ServiceFacts] = {}
        self._index: ServiceIndex | None = None

    def service(self, name: str) -> ServiceModel:
        """A model of botocore's service `name`, for a caller that does not keep it; KeyError when there is none."""
        return ServiceModel(self._description(name), name)

    def former(self, name: str) -> ServiceModel:
        """The model of a service in `former_query.FORMER` as it was."""
        return ServiceModel(former_description(name, self._description(name)), name)

    def _description(self, name: str) -> Mapping[str, Any]:
        description = self._descriptions.get(name)
        if description is None:
            try:
                description = Loader(file_loader=_Files()).load_service_model(name, "service-2")
            except UnknownServiceError as error:
                raise KeyError(name) from error
            self._descriptions[name] = description
            while len(self._descriptions) > MAX_MODELS:
                del self._descriptions[next(iter(self._descriptions))]
        return description

    def facts(self, name: str) -> ServiceFacts:
        """The facts of one service, from the head of its model file; KeyError when there is none."""
        facts = self._facts.get(name)
        if facts is None:
            facts = self._facts[name] = _facts(name, _metadata(self._path(name)))
        return facts

    def index(self) -> ServiceIndex:
        """The index of every service that botocore knows."""
        if self._index is None:
            names = self._loader.list_available_services("service-2")
            self._index = ServiceIndex.of(self.facts(name) for name in names)
        return self._index

    def _path(self, name: str) -> Path:
        try:
            version = self._loader.determine_latest_version(name, "service-2")
        except UnknownServiceError as error:
            raise KeyError(name) from error
        for root in self._loader.search_paths:
            for suffix in (".json.gz", ".json"):
                path = Path(root, name, version, f"service-2{suffix}")
                if path.exists():
                    return path
        raise KeyError(name)


class _Files(JSONFileLoader):
    """Reads model files for little memory: plain dictionaries, each text once, and no documentation."""

    def load_file(self, file_path: str) -> Any:
        """The content of the file at `file_path` and an ending; None when there is none."""
        for suffix, read in ((".json", open), (".json.gz", gzip.open)):
            try:
                with read(file_path + suffix, "rb") as file:
                    text = file.read()
            except FileNotFoundError:
                continue
            return json.loads(text, object_pairs_hook=_without_documentation)
        return None


def _without_documentation(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a model. A member of a shape may be called `documentation`, but then it is no text."""
    return {sys.intern(key): _once(value) for key, value in pairs if key != "documentation" or type(value) is not str}


def _once(value: Any) -> Any:
    if type(value) is list:
        return [_once(item) for item in value]
    return sys.intern(value) if type(value) is str else value


def _metadata(path: Path) -> Mapping[str, Any]:
    """The `metadata` object of a model file. Reads its head, or all of it when that does not hold the object."""
    for size in (_HEAD, -1):
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                text = file.read(size)
        else:
            with path.open("rb") as file:
                text = file.read(size)
        start = text.find(b'"metadata"')
        if start >= 0:
            after = text[start + len('"metadata"') :].decode("utf-8", "replace").lstrip(" \r\n\t:")
            try:
                metadata, _ = json.JSONDecoder().raw_decode(after)
            except ValueError:
                continue
            return dict(metadata)
    raise ValueError(f"{path} has no metadata")


def _facts(name: str, metadata: Mapping[str, Any]) -> ServiceFacts:
    return ServiceFacts(
        name=name,
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        endpoint_prefix=metadata["endpointPrefix"],
        protocols=tuple(metadata.get("protocols", [metadata["protocol"]])),
        target_prefix=metadata.get("targetPrefix"),
        api_version=metadata["apiVersion"],
        service_id=metadata.get("serviceId", name),
    )
