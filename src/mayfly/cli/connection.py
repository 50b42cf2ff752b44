"""Finding the server to talk to, and talking to it: AWS clients, and signed requests to Mayfly's own pages."""

import contextlib
import hashlib
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from mayfly import __version__
from mayfly.app.directory import DataDirectory
from mayfly.app.local import read_root_key
from mayfly.cli.hints import with_data
from mayfly.errors import PlatformError

UPLOAD_S = 3600.0
_RESTART = "end it with `mayfly down` and start it again with `mayfly up`"
_UNKNOWN_PAGE = (404, 405, 501)
OWN_SERVICE = "mayfly"  # the service name in the signature of requests to Mayfly's own pages


class NoServerError(PlatformError):
    """Nothing runs on the data directory."""


class OlderServerError(PlatformError):
    """What answers says less than this command line reads: it is of another version."""


class Answer(dict[str, Any]):
    """An object of a page's JSON. A member that is not there is told in words, not as a `KeyError`."""

    def __init__(self, members: Mapping[str, Any], server: str) -> None:
        super().__init__(members)
        self._server = server

    def __missing__(self, name: str) -> NoReturn:
        raise OlderServerError(
            f"the server {_of(self._server)} and says nothing of {name!r}, which this command, of "
            f"version {__version__}, shows: {_RESTART}"
        )


class RefusedError(PlatformError):
    """A page of Mayfly's own refuses; the message is its own."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Connection:
    """A server and the key to sign with."""

    url: str
    region: str
    account: str
    access_key_id: str
    secret_access_key: str
    runtimes: Path = Path(os.devnull)  # of a server on this machine: where its runtimes are installed
    version: str = ""  # of a server on this machine

    def client(self, service: str, session: Any = None) -> Any:
        """A boto3 client of `service` for this server, with a time-out long enough for the longest function. `session`:
        the boto3 session of who makes many clients, which reads what they share once; None: one of its own."""
        own: Any = session or boto3.session.Session()  # its typing knows literal service names only
        return own.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(read_timeout=930, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}),
        )

    def get(self, path: str) -> Any:
        """The JSON that Mayfly's own page at `path` (with its query) answers; `PlatformError`."""
        return self.send("GET", path)

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        path: str,
        body: bytes | Path = b"",
        timeout_s: float | None = None,
        content_type: str | None = None,
    ) -> Iterator[HTTPResponse]:
        """The answer of a page, to be read as it comes; `PlatformError` when it refuses."""
        digest = hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else _sha256(body)
        length = len(body) if isinstance(body, bytes) else body.stat().st_size
        headers = {"X-Amz-Content-SHA256": digest, "Content-Length": str(length)}
        if content_type is not None:
            headers["Content-Type"] = content_type
        request = AWSRequest(method, f"{self.url}{path}", headers=headers)
        SigV4Auth(Credentials(self.access_key_id, self.secret_access_key), OWN_SERVICE, self.region).add_auth(request)
        prepared = request.prepare()
        with contextlib.ExitStack() as cleanup:
            sent = body if isinstance(body, bytes) else cleanup.enter_context(body.open("rb"))
            plain = urllib.request.Request(  # noqa: S310  # our server
                prepared.url, sent or None, dict(prepared.headers.items()), method=method
            )
            try:
                reply = urllib.request.urlopen(plain, timeout=timeout_s)  # noqa: S310  # our server
            except urllib.error.HTTPError as error:
                raise RefusedError(_complaint(path, error.code, error.read(), self.version), error.code) from error
            except OSError as error:
                raise PlatformError(f"{self.url} does not answer: {_reason(error)}") from error
            yield cleanup.enter_context(reply)

    def signed(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The head of a request without a body, signed but for `headers`, as it goes over a socket."""
        request = AWSRequest(
            method, f"{self.url}{path}", headers={"X-Amz-Content-SHA256": hashlib.sha256(b"").hexdigest()}
        )
        SigV4Auth(Credentials(self.access_key_id, self.secret_access_key), OWN_SERVICE, self.region).add_auth(request)
        fields = {"Host": urlsplit(self.url).netloc, **dict(request.headers.items()), **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")

    def send(self, method: str, path: str, file: Path | None = None) -> Any:
        """`get` with another method, and the content of a file; an answer may take as long as that is large."""
        headers = {}
        if file is not None:
            headers = {"X-Amz-Content-SHA256": _sha256(file), "Content-Length": str(file.stat().st_size)}
        request = AWSRequest(method, f"{self.url}{path}", headers=headers)
        credentials = Credentials(self.access_key_id, self.secret_access_key)
        SigV4Auth(credentials, OWN_SERVICE, self.region).add_auth(request)
        prepared = request.prepare()
        with contextlib.ExitStack() as cleanup:
            body = cleanup.enter_context(file.open("rb")) if file is not None else None
            plain = urllib.request.Request(  # noqa: S310  # our server
                prepared.url, body, dict(prepared.headers.items()), method=method
            )
            timeout_s = 30 if file is None else UPLOAD_S
            try:
                with urllib.request.urlopen(plain, timeout=timeout_s) as reply:  # noqa: S310  # our server
                    return self.read(reply)
            except urllib.error.HTTPError as error:
                raise RefusedError(_complaint(path, error.code, error.read(), self.version), error.code) from error
            except OSError as error:
                raise PlatformError(f"{self.url} does not answer: {_reason(error)}") from error

    def read(self, reply: IO[bytes]) -> Any:
        """The JSON of an answer, whose objects are `Answer`; `PlatformError` for anything else."""
        try:
            return json.loads(reply.read(), object_hook=lambda members: Answer(members, self.version))
        except ValueError as error:
            raise PlatformError(f"{self.url} answers something else than a Mayfly server: {error}") from error


def _reason(error: OSError) -> str:
    """What is wrong, without the names that libraries have for it."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or str(cause)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _complaint(path: str, status: int, body: bytes, version: str) -> str:
    """What a page that refuses says for people; all of its answer where it says nothing of that kind. Of a page that a
    server of another `version` may not have, that."""
    hint = ""
    if version not in ("", __version__) and status in _UNKNOWN_PAGE:
        hint = f" (the server {_of(version)}, this command of {__version__}: if it is older, {_RESTART})"
    with contextlib.suppress(ValueError):
        said = json.loads(body)
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return f"{said['message']}{hint}"
    return f"{path} answered {status}: {body.decode(errors='replace')}{hint}"


def _of(version: str) -> str:
    return f"is of version {version}" if version else "is of another version"


def connect(data: Path) -> Connection:
    """The server that runs on `data`, or the one that `AWS_ENDPOINT_URL` and the AWS variables name.

    The data directory wins when a server runs on it. `NoServerError` when there is neither.
    """
    directory = DataDirectory(data)
    server = directory.running()
    key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if server is not None:
        place = (server.url, server.region, server.account)
        given = os.environ.get("MAYFLY_ACCESS_KEY_ID"), os.environ.get("MAYFLY_SECRET_ACCESS_KEY")
        if given[0] and given[1]:
            return Connection(*place, given[0], given[1], directory.runtimes, server.version)
        key = read_root_key(directory.root)
        if key is not None:
            pair = (key.access_key_id, key.secret_access_key)
            return Connection(*place, *pair, directory.runtimes, server.version)
    url = os.environ.get("AWS_ENDPOINT_URL")
    if url and key_id and secret:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return Connection(url.rstrip("/"), region, "", key_id, secret)
    raise NoServerError(f"no Mayfly runs on {directory.root}; start one with `{with_data('mayfly up', data)}`")
