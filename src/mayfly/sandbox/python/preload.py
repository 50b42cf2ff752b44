"""What a template loads before any function needs it, so that no instance pays for it.

Everything here costs each fork a little (about 20 µs for a megabyte of objects) and saves the functions that use it a
lot: the first S3 client of a process takes 80 ms, most of it JSON that is the same for everybody.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from mayfly.sandbox.python import apis

# Modules of the standard library that handlers, boto3 and popular packages import.
STANDARD = (
    *("abc", "argparse", "array", "ast", "asyncio", "base64", "bisect", "calendar", "collections"),
    *("concurrent.futures", "configparser", "contextlib", "copy", "csv", "ctypes", "dataclasses", "datetime"),
    *("decimal", "email.message", "enum", "fractions", "functools", "getpass", "glob", "gzip", "hashlib", "heapq"),
    *("hmac", "html", "http.client", "http.cookies", "inspect", "io", "ipaddress", "itertools", "json", "locale"),
    *("logging", "math", "mimetypes", "multiprocessing", "numbers", "operator", "pathlib", "pickle", "pkgutil"),
    *("platform", "pprint", "queue", "random", "re", "secrets", "select", "selectors", "shutil", "signal", "socket"),
    *("sqlite3", "ssl", "statistics", "string", "struct", "subprocess", "tempfile", "textwrap", "threading", "time"),
    *("timeit", "traceback", "types", "typing", "unicodedata", "urllib.parse", "urllib.request", "uuid", "warnings"),
    *("weakref", "xml.etree.ElementTree", "zipfile", "zlib", "zoneinfo", "bz2", "lzma", "difflib"),
    *("encodings.idna", "importlib.metadata"),
)
# The packages of /var/runtime, and what a client of a popular service imports.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_BOTO = (
    *("boto3", "boto3.session", "boto3.s3.transfer", "boto3.dynamodb.conditions", "boto3.dynamodb.types"),
    *("boto3.dynamodb.table", "boto3.dynamodb.transform", "boto3.s3.inject", "boto3.resources.factory"),
    *("botocore.session", "botocore.client", "botocore.httpsession", "botocore.endpoint", "botocore.args"),
    *("botocore.retries.standard", "botocore.retries.adaptive", "botocore.retries.special", "botocore.signers"),
    *("botocore.docs", "botocore.waiter", "botocore.paginate", "botocore.regions", "s3transfer.manager"),
    *("s3transfer.futures", "dateutil.parser", "dateutil.tz"),
)
# Variables that the default session has looked at when it is made.
_ASSUMED = frozenset(
    ("AWS_DATA_PATH", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "HOME")
)
# Services whose models are read beforehand: those that Mayfly has and functions call.
_SERVICES = ("s3", "dynamodb", "sqs", "sns", "lambda", "sts", "events", "secretsmanager", "stepfunctions")


def missing() -> list[str]:
    """Packages that this interpreter could not load; functions that bring their own do not mind."""
    return [name for name in PACKAGES if name not in sys.modules and name != "six"]


def load_all(runtime: str) -> None:
    """Import everything; `runtime` is the directory of the packages. What is not there is left out."""
    for name in STANDARD:
        _load(name)
    sys.path.append(runtime)
    for name in _BOTO:
        _load(name)
    if missing():
        # Half a boto3 would hide what is wrong: a function that imports it shall get the original error.
        for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
            del sys.modules[name]
    apis.reach(sys.modules.get("botocore.httpsession"))
    loaders = sys.modules.get("botocore.loaders")
    if loaders is not None:
        shared = _share_models(loaders)
        shared.update(_rehearse())


def _load(name: str) -> None:
    """Import a module if that works: a package of /var/runtime may be too new for this interpreter."""
    try:
        importlib.import_module(name)
    except Exception:  # whatever it raises, a function that imports it will see for itself
        return


def _share_models(loaders: Any) -> dict[Any, Any]:
    """Read models and endpoint data once, and give every new botocore loader what was read, and what is added to the
    result later.

    A loader keeps what it read in `_cache`, by method and arguments; botocore shares it among the clients of a session
    already. A loader with directories of its own (AWS_DATA_PATH, ~/.aws/models) starts empty, as ever.
    """
    loader_class = loaders.Loader
    try:
        read = loader_class(file_loader=_Files())
    except TypeError:
        return {}  # a botocore that reads otherwise
    if not hasattr(read, "_cache"):
        return {}  # a botocore that keeps it elsewhere: nothing is shared, nothing breaks
    for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        _try(read.load_data, name)
    for kind in ("service-2", "endpoint-rule-set-1"):
        for service in _SERVICES:
            _try(read.load_service_model, service, kind)
    cache, paths, customers = read._cache, read.search_paths, loader_class.CUSTOMER_DATA_PATH  # noqa: SLF001
    original = loader_class.__init__

    def started(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        if self.search_paths == paths and not os.path.isdir(customers):
            self._cache.update(cache)

    loader_class.__init__ = started
    shared: dict[Any, Any] = cache
    return shared


class _Files:
    """Reads JSON files as botocore does, for little more than half of the memory: plain dictionaries, as ordered as its
    own, and each text once. Of the 52 MB of a template it saves 9."""

    def exists(self, file_path: str) -> bool:
        return any(os.path.isfile(file_path + suffix) for suffix, _ in _OPEN)

    def load_file(self, file_path: str) -> Any:
        """The content of the file at `file_path` and an ending; None when there is none."""
        for suffix, read in _OPEN:
            if os.path.isfile(file_path + suffix):
                with read(file_path + suffix, "rb") as file:
                    return json.loads(file.read(), object_pairs_hook=_interned)
        return None


_OPEN: tuple[tuple[str, Any], ...] = ((".json", open), (".json.gz", gzip.open))


def _interned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {sys.intern(key): _once(value) for key, value in pairs}


def _once(value: Any) -> Any:
    if type(value) is list:
        return [_once(item) for item in value]
    return sys.intern(value) if type(value) is str else value


def _try(read: Any, *arguments: str) -> None:
    try:
        read(*arguments)
    except Exception:  # (a botocore without this file or service: its functions read what it has)
        return


def _rehearse() -> dict[Any, Any]:
    """Make clients once: what only a first one imports, compiles and remembers is there afterwards. Returns what was
    read for it.

    Then leave boto3's default session made. It has looked at no credentials yet, and holds no connection.
    """
    boto3 = sys.modules["boto3"]
    nobody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    session = boto3.Session(region_name="us-east-1", **nobody)
    for service in ("s3", "dynamodb"):
        _try(session.client, service)
        _try(session.resource, service)
    boto3.setup_default_session()
    loader = session._session.get_component("data_loader")  # noqa: SLF001 (there is no public way to it)
    return getattr(loader, "_cache", {})


def fit(environment: Mapping[str, str]) -> None:
    """Undo what was made beforehand and does not suit a function that has configuration files of its own for boto3."""
    boto3 = sys.modules.get("boto3")
    if boto3 is not None and not _ASSUMED.isdisjoint(environment):
        vars(boto3)["DEFAULT_SESSION"] = None
