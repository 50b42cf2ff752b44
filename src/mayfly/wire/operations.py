"""One service as the wire knows it: its model, a codec a protocol, and its operations, each compiled once.

Nothing of that is there before a request needs it. Reading a model takes 3-30 ms, compiling an operation 1-5, so on the
event loop neither happens: what is not there yet is a `NotLoadedError`, and `loaded` asks again once a thread has made
it. A platform that nobody uses has no model in memory, and of a service in use there is what was asked of it.
"""

import threading
import uuid
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from botocore.model import OperationModel, ServiceModel, StructureShape

from mayfly.errors import PlatformError
from mayfly.late import Loads
from mayfly.wire.codec import Codec, Parser, Serialiser
from mayfly.wire.denials import Family, family_of
from mayfly.wire.former_query import FORMER
from mayfly.wire.json import JsonCodec
from mayfly.wire.models import Models, ServiceIndex
from mayfly.wire.query import QueryCodec
from mayfly.wire.query_json import PROTOCOL as QUERY_JSON
from mayfly.wire.query_json import QueryJsonCodec
from mayfly.wire.rest_json import RestJsonCodec
from mayfly.wire.rest_xml import RestXmlCodec
from mayfly.wire.routing import PathTable
from mayfly.wire.rpc_cbor import CborCodec
from mayfly.wire.validation import Validate, compile_validator

CODECS: Final[Mapping[str, Callable[[ServiceModel], Codec]]] = MappingProxyType(
    {
        "ec2": QueryCodec,
        "json": JsonCodec,
        "query": QueryCodec,
        QUERY_JSON: QueryJsonCodec,
        "rest-json": RestJsonCodec,
        "rest-xml": RestXmlCodec,
        "smithy-rpc-v2-cbor": CborCodec,
    }
)
MAX_PASSING: Final = 16  # services without handlers whose models are remembered; nine share the scope "sagemaker"
_MOST_LOADS: Final = 64  # for one question

T = TypeVar("T")

_PREFERRED: Final = ("json", "rest-json", "rest-xml", "query", "ec2")


class NotLoadedError(Exception):
    """What was asked for is not in memory: `load` it, then ask again. No failure, and nobody outside `wire` sees it."""

    def __init__(self, key: Hashable, load: Callable[[], Awaitable[object]]) -> None:
        super().__init__(f"{key} is not loaded")
        self.load = load


async def loaded(ask: Callable[[], T]) -> T:
    """What `ask` gives, after what it needs has been loaded; whatever loading or it raises."""
    for _ in range(_MOST_LOADS):
        try:
            return ask()
        except NotLoadedError as missing:
            load = missing.load
        await load()
    raise PlatformError("models were forgotten as fast as they were loaded; ask again")


class Loading:
    """How what is not there is made: on the spot, or, for event loops, in a thread while whoever asked waits."""

    def __init__(self, *, on_the_spot: bool) -> None:
        self._loads = None if on_the_spot else Loads()

    def make(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, or `NotLoadedError`. It keeps what it made, and says it again when it is called again."""
        loads = self._loads
        if loads is None:
            return make()
        raise NotLoadedError(key, lambda: loads.once(key, make))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation over one protocol."""

    name: str
    parse: Parser
    validate: Validate
    serialise: Serialiser
    streams: bool  # its input has a payload that is handed to the handler as a stream
    anonymous: bool  # the model asks for no signature
    unsigned_payload: bool  # the body need not be part of the signature
    checksum_member: str | None  # the member that names the algorithm of the body's checksum, where there may be one
    checksum_required: bool
    compressed: bool  # the body may arrive compressed by `Content-Encoding: gzip`
    tokens: tuple[str, ...]  # idempotency tokens, made up when absent


class ServiceWire:
    """One service. Operations are compiled on first use and kept, and what was read of the model for that is not."""

    def __init__(self, name: str, models: Models, loading: Loading) -> None:
        """KeyError when botocore knows no such service."""
        model = models.service(name)
        self.name = name
        self._loading = loading
        self.api_version = str(model.metadata["apiVersion"])
        self._models = models
        self.protocols: tuple[str, ...] = tuple(model.metadata.get("protocols", [model.metadata["protocol"]]))
        if name in FORMER:
            self.protocols += ("query",)
        # Refusals of those that used to speak `query` have kept their names: SDKs get them as the former codes.
        self._refuses_as_before = "awsQueryCompatible" in model.metadata
        # The protocol that errors take when the request does not tell one.
        self.protocol = next(each for each in (*_PREFERRED, *self.protocols) if each in self.protocols)
        self._codecs: dict[str, Codec] = {}
        self._operations: dict[tuple[str, str], Operation] = {}
        self._paths: PathTable | None = None
        self._names = frozenset(model.operation_names)

    def family(self, protocol: str) -> Family:
        """In whose words requests that cannot be authenticated are refused."""
        return family_of(self.name, "query" if self._refuses_as_before else protocol)

    def has(self, operation: str) -> bool:
        return operation in self._names

    @property
    def paths(self) -> PathTable:
        if self._paths is None:
            return self._loading.make((self.name, "paths"), self.load_paths)
        return self._paths

    def load_paths(self) -> PathTable:
        """In a thread: read them."""
        self._paths = PathTable(self._model())
        return self._paths

    def codec(self, protocol: str) -> Codec:
        codec = self._codecs.get(protocol)
        if codec is None:
            codec = self._codecs[protocol] = CODECS[protocol](self._model(protocol))
        return codec

    def operation(self, name: str, protocol: str) -> Operation:
        """The compiled operation; KeyError when the service has none of that name."""
        found = self._operations.get((name, protocol))
        if found is None:
            if name not in self._names:
                raise KeyError(name)
            return self._loading.make((self.name, name, protocol), lambda: self._compile(name, protocol))
        return found

    def _compile(self, name: str, protocol: str) -> Operation:
        found = _compile(self, self._model(protocol).operation_model(name), protocol)
        self._operations[name, protocol] = found
        return found

    def _model(self, protocol: str = "") -> ServiceModel:
        if protocol in ("query", QUERY_JSON) and self.name in FORMER:
            return self._models.former(self.name)
        return self._models.service(self.name)


def _compile(service: ServiceWire, model: OperationModel, protocol: str) -> Operation:
    codec = service.codec(protocol)
    shape = model.input_shape
    checksum: Mapping[str, Any] = model.http_checksum or {}
    return Operation(
        name=model.name,
        parse=codec.parser(model),
        validate=compile_validator(service.name, protocol, model),
        serialise=codec.serialiser(model),
        streams=_streams(shape),
        anonymous=_anonymous(model),
        unsigned_payload=bool(model.unsigned_payload) or model.auth_type == "v4-unsigned-body" or service.name == "s3",
        checksum_member=checksum.get("requestAlgorithmMember"),
        checksum_required=bool(checksum.get("requestChecksumRequired") or model.http_checksum_required),
        compressed=bool(model.request_compression),
        tokens=tuple(model.idempotent_members),
    )


def _streams(shape: Any) -> bool:
    if not isinstance(shape, StructureShape):
        return False
    payload = shape.serialization.get("payload")
    return payload is not None and bool(shape.members[payload].serialization.get("streaming"))


def _anonymous(model: OperationModel) -> bool:
    return model.auth_type == "none" or list(model.auth or ()) == ["smithy.api#noAuth"]


def fill_tokens(operation: Operation, params: dict[str, Any]) -> None:
    """Give the idempotency tokens that the caller left out."""
    for name in operation.tokens:
        if name not in params:
            params[name] = str(uuid.uuid4())


class Catalogue:
    """Services by botocore's name, loaded on first use.

    Those named in `kept` stay; of the others, which are there to be refused in their own format, a few are remembered.
    """

    def __init__(self, models: Models, kept: frozenset[str] = frozenset(), *, on_the_spot: bool = True) -> None:
        """`on_the_spot`: who asks for what is not there waits; otherwise it, and the services, say `NotLoadedError`."""
        self.models = models
        self._kept = kept
        self._loading = Loading(on_the_spot=on_the_spot)
        self._index: ServiceIndex | None = None
        self._services: dict[str, ServiceWire] = {}
        self._passing: list[str] = []
        self._remembering = threading.Lock()

    def service(self, name: str) -> ServiceWire:
        """KeyError when botocore knows no such service."""
        found = self._services.get(name)
        return self._loading.make(name, lambda: self._load(name)) if found is None else found

    def index(self) -> ServiceIndex:
        """Every service that botocore knows, which takes 0.1 s to find out."""
        return self._loading.make("index", self._read_index) if self._index is None else self._index

    def load(self, name: str) -> None:
        """In a thread: have what routing needs of a service, so that its first request does not wait for that."""
        service = self._services.get(name) or self._load(name)
        if service.protocol.startswith("rest-"):
            service.load_paths()

    def _load(self, name: str) -> ServiceWire:
        found = ServiceWire(name, self.models, self._loading)
        with self._remembering:
            found = self._services.setdefault(name, found)
            if name not in self._kept and name not in self._passing:
                self._passing.append(name)
                if len(self._passing) > MAX_PASSING:
                    del self._services[self._passing.pop(0)]
        return found

    def _read_index(self) -> ServiceIndex:
        self._index = self.models.index()
        return self._index
