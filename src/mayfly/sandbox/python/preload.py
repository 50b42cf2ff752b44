"""What a template loads before any function needs it, so that no instance pays for it."""

from __future__ import annotations

import importlib
import sys

# Modules of the standard library that handlers, boto3 and popular packages import.
STANDARD = (
    *(
        "abc",
        "argparse",
        "array",
        "ast",
        "asyncio",
        "base64",
        "bisect",
        "calendar",
        "collections",
        "concurrent.futures",
    ),
    *("configparser", "contextlib", "copy", "csv", "ctypes", "dataclasses", "datetime", "decimal", "email.message"),
    *("enum", "fractions", "functools", "getpass", "glob", "gzip", "hashlib", "heapq", "hmac", "html", "http.client"),
    *("http.cookies", "inspect", "io", "ipaddress", "itertools", "json", "locale", "logging", "math", "mimetypes"),
    *(
        "multiprocessing",
        "numbers",
        "operator",
        "pathlib",
        "pickle",
        "pkgutil",
        "platform",
        "pprint",
        "queue",
        "random",
    ),
    *("re", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "statistics", "string"),
    *("struct", "subprocess", "tempfile", "textwrap", "threading", "time", "timeit", "traceback", "types", "typing"),
    *("unicodedata", "urllib.parse", "urllib.request", "uuid", "warnings", "weakref", "xml.etree.ElementTree"),
    *("zipfile", "zlib", "zoneinfo", "bz2", "lzma", "difflib", "encodings.idna", "importlib.metadata"),
)
# The packages of /var/runtime, and what creating a client of a popular service imports and reads.
PACKAGES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_BOTO = (
    *("boto3", "boto3.session", "boto3.s3.transfer", "boto3.dynamodb.conditions", "boto3.dynamodb.types"),
    *("boto3.dynamodb.table", "boto3.dynamodb.transform", "boto3.s3.inject", "boto3.resources.factory"),
    *("botocore.session", "botocore.client", "botocore.httpsession", "botocore.endpoint", "botocore.args"),
    *("botocore.retries.standard", "botocore.retries.adaptive", "botocore.retries.special", "botocore.signers"),
    *(
        "botocore.crt",
        "botocore.docs",
        "botocore.waiter",
        "botocore.paginate",
        "botocore.regions",
        "s3transfer.manager",
    ),
    *("s3transfer.futures", "dateutil.parser", "dateutil.tz"),
)


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


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except (ImportError, SyntaxError):
        return
