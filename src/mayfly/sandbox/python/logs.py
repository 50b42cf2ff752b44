"""Logging inside a function, as AWS sets it up: one handler at the root logger, one line an event.

Text: `[LEVEL]\\ttime\\trequest id\\tmessage`; with AWS_LAMBDA_LOG_FORMAT=JSON one JSON object a record. Line feeds
inside a text record become carriage returns, so that one record stays one log event.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Optional

_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S"
# Attributes of a record that are not the caller's `extra`.
_KNOWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "aws_request_id", "tenant_id", "taskName"}


class Current:
    """The invocation that records belong to."""

    request_id = ""
    tenant_id = ""  # of an instance that serves one tenant alone
    find: Optional[Callable[[], str]] = None  # noqa: UP045 (where several run at a time; read at run time on 3.9)

    def now(self) -> str:
        """The id of the request on whose behalf the caller runs; empty for none."""
        return self.request_id if self.find is None else self.find()


class _Handler(logging.Handler):
    def __init__(self, current: Current) -> None:
        super().__init__()
        self.current = current

    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = self.current.now()
        record.tenant_id = self.current.tenant_id
        try:
            sys.stdout.write(self.format(record) + "\n")
        except Exception:  # logging must not fail the caller: the standard handlers do the same
            self.handleError(record)


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(_TEXT, _TIME)
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return "\r".join(super().format(record).splitlines())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime(_TIME, time.gmtime(record.created))
        plain = isinstance(record.msg, dict) and not record.args  # an object stays one
        fields: dict[str, Any] = {
            "timestamp": f"{seconds}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "message": record.msg if plain else record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", ""),
        }
        if tenant_id := getattr(record, "tenant_id", ""):
            fields["tenantId"] = tenant_id
        if record.exc_info and record.exc_info[0]:
            fields["stackTrace"] = traceback.format_tb(record.exc_info[2])
            fields["errorType"] = record.exc_info[0].__name__
            fields["errorMessage"] = str(record.exc_info[1])
            fields["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        for name, value in vars(record).items():
            if name not in _KNOWN and name not in fields and value is not None:
                fields[name] = value
        return json.dumps(fields, ensure_ascii=False, default=str)


def wants_json(environment: Mapping[str, str]) -> bool:
    return environment.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def set_up(environment: Mapping[str, str], current: Current) -> None:
    """Give the root logger its handler, and its level if the function's configuration names one.

    A template has done so already, and a handler that suits is kept: making one costs each of its forks memory.
    """
    formatter = _Json if wants_json(environment) else _Text
    root = logging.getLogger()
    there = root.handlers[0] if len(root.handlers) == 1 else None
    if type(there) is _Handler and type(there.formatter) is formatter:
        there.current = current
    else:
        handler = _Handler(current)
        handler.setFormatter(formatter())
        root.handlers[:] = [handler]
    level = environment.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level)
    if level in {"DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"}:
        root.setLevel(level)
