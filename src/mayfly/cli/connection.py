"""Finding the server to talk to, and talking to it: AWS clients, and signed requests to Mayfly's own pages."""

import contextlib
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from mayfly.app.directory import DataDirectory
from mayfly.app.local import read_root_key
from mayfly.cli.options import with_data
from mayfly.errors import PlatformError

OWN_SERVICE = "mayfly"  # the service name in the signature of requests to Mayfly's own pages


class NoServerError(PlatformError):
    """Nothing runs on the data directory."""


@dataclass(frozen=True)
class Connection:
    """A server and the key to sign with."""

    url: str
    region: str
    account: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str) -> Any:
        """A boto3 client of `service` for this server, with a time-out long enough for the longest function."""
        session: Any = boto3.session.Session()  # its typing knows literal service names only
        return session.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(read_timeout=930, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}),
        )

    def get(self, path: str) -> Any:
        """The JSON that Mayfly's own page at `path` (with its query) answers; `PlatformError`."""
        request = AWSRequest("GET", f"{self.url}{path}")
        credentials = Credentials(self.access_key_id, self.secret_access_key)
        SigV4Auth(credentials, OWN_SERVICE, self.region).add_auth(request)
        prepared = request.prepare()
        plain = urllib.request.Request(prepared.url, headers=dict(prepared.headers.items()))  # noqa: S310  # our server
        try:
            with urllib.request.urlopen(plain, timeout=30) as reply:  # noqa: S310  # our server
                return json.load(reply)
        except urllib.error.HTTPError as error:
            raise PlatformError(_complaint(path, error.code, error.read())) from error
        except OSError as error:
            raise PlatformError(f"{self.url} does not answer: {error}") from error


def _complaint(path: str, status: int, body: bytes) -> str:
    """What a page that refuses says for people; all of its answer where it says nothing of that kind."""
    with contextlib.suppress(ValueError):
        said = json.loads(body)
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return str(said["message"])
    return f"{path} answered {status}: {body.decode(errors='replace')}"


def connect(data: Path) -> Connection:
    """The server that runs on `data`, or the one that `AWS_ENDPOINT_URL` and the AWS variables name.

    The data directory wins when a server runs on it. `NoServerError` when there is neither.
    """
    directory = DataDirectory(data)
    server = directory.running()
    key_id, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if server is not None:
        given = os.environ.get("MAYFLY_ACCESS_KEY_ID"), os.environ.get("MAYFLY_SECRET_ACCESS_KEY")
        if given[0] and given[1]:
            return Connection(server.url, server.region, server.account, given[0], given[1])
        key = read_root_key(directory.root)
        if key is not None:
            return Connection(server.url, server.region, server.account, key.access_key_id, key.secret_access_key)
    url = os.environ.get("AWS_ENDPOINT_URL")
    if url and key_id and secret:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return Connection(url.rstrip("/"), region, "", key_id, secret)
    raise NoServerError(f"no Mayfly runs on {directory.root}; start one with `{with_data('mayfly up', data)}`")
