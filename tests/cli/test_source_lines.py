"""Where errors happened, out of what functions log of them."""

from pathlib import Path

import pytest

from mayfly.cli.source_lines import Excerpt, Frame, excerpt, figures, frames, headline, kind, said, shortened

PYTHON = (
    "[ERROR] ValueError: as asked\rTraceback (most recent call last):\r"
    '\xa0\xa0File "/var/task/app.py", line 13, in handler\r\xa0\xa0\xa0\xa0inner(event)\r'
    '\xa0\xa0File "/var/task/lib/deep.py", line 3, in inner\r\xa0\xa0\xa0\xa0raise ValueError("as asked")\n'
)
LOGGED = (
    "[ERROR]\t2026-11-21T17:42:38.163Z\tae5b3219-63a5-4bc2-89a7-5ae3ac8e2212\tlogged\r"
    'Traceback (most recent call last):\r  File "/var/task/app.py", line 9, in handler\r    inner(event)\r'
    "ValueError: as asked\n"
)
NODE = (
    "2026-11-21T17:42:41.226Z\td1f125db-5f07-44c0-932d-81ba5dad3145\tERROR\tInvoke Error \t"
    '{"errorType":"TypeError","errorMessage":"as asked","stack":["TypeError: as asked",'
    '"    at inner (/var/task/index.js:2:9)","    at exports.handler (/var/task/index.js:6:25)",'
    '"    at /var/runtime/mayfly/calls.cjs:47:20"]}\n'
)
SYNTAX = (
    "[ERROR] Runtime.UserCodeSyntaxError: Syntax error in module 'app': '(' was never closed (app.py, line 2)\r"
    'Traceback (most recent call last):\r\xa0\xa0File "/var/task/app.py" Line 2\r\xa0\xa0\xa0\xa0return (\n'
)
RAISED_JSON = (
    '{"timestamp": "2026-11-21T18:58:24Z", "level": "ERROR", "errorMessage": "as asked", "errorType": "ValueError",'
    ' "stackTrace": ["  File \\"/var/task/app.py\\", line 2, in handler\\n    raise ValueError(\'x\')\\n"]}\n'
)
LOGGED_JSON = (
    '{"timestamp": "2026-11-21T18:58:25Z", "level": "ERROR", "message": "caught", "logger": "root", "errorType":'
    ' "ZeroDivisionError", "errorMessage": "division by zero", "stackTrace": []}\n'
)
REPORT_JSON = (
    '{"time":"2026-11-21T18:58:24.165Z","type":"platform.report","record":{"requestId":"1","status":"error",'
    '"metrics":{"durationMs":2.514,"billedDurationMs":3,"memorySizeMB":128,"maxMemoryUsedMB":4,"initDurationMs":0.143}}}'
)
RUBY = "[ERROR] RuntimeError: as asked\r/var/task/app.rb:3:in 'inner'\r/var/task/app.rb:7:in `handler'\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (PYTHON, [Frame("app.py", 13, "handler"), Frame("lib/deep.py", 3, "inner")]),
        (LOGGED, [Frame("app.py", 9, "handler")]),
        (NODE, [Frame("index.js", 6, "exports.handler"), Frame("index.js", 2, "inner")]),
        ("    at file:///var/task/index.mjs:1:2", [Frame("index.mjs", 1, "")]),
        (SYNTAX, [Frame("app.py", 2, "")]),
        (RAISED_JSON, [Frame("app.py", 2, "handler")]),
        (RUBY, [Frame("app.rb", 7, "handler"), Frame("app.rb", 3, "inner")]),
        ('{"stackTrace": ["  File \\"/var/task/app.py\\", line 5, in f\\n"]}', [Frame("app.py", 5, "f")]),
        ('  File "/home/me/.mayfly/code/dev-0a1B/app.py", line 5, in f', [Frame("app.py", 5, "f")]),
        ('  File "/usr/lib/python3.11/json/decoder.py", line 5, in f', []),
        ("nothing happened", []),
    ],
)
def test_the_frames_of_the_functions_own_files_are_found_innermost_last(message: str, expected: list[Frame]) -> None:
    assert frames(message) == expected


def test_of_errors_that_led_to_each_other_the_last_one_counts() -> None:
    first = PYTHON.replace("13", "1").strip()
    both = f"{first}\rDuring handling of the above exception, another exception occurred:\r{PYTHON}"
    assert frames(both)[0].line == 13


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (PYTHON, "ValueError: as asked"),
        (LOGGED, "logged: ValueError: as asked"),
        (NODE, "TypeError: as asked"),
        (RUBY, "RuntimeError: as asked"),
        (RAISED_JSON, "ValueError: as asked"),
        (LOGGED_JSON, "caught: ZeroDivisionError: division by zero"),
        ("[ERROR] Runtime.ImportModuleError: no module 'app'\n", "Runtime.ImportModuleError: no module 'app'"),
    ],
)
def test_the_headline_is_what_went_wrong_without_the_stack(message: str, expected: str) -> None:
    assert headline(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("START RequestId: 1 Version: $LATEST\n", "platform"),
        ("REPORT RequestId: 1\tDuration: 1.50 ms\n", "report"),
        (PYTHON, "error"),
        (NODE, "error"),
        ("2026-11-21T17:42:41.226Z 1 Task timed out after 3.00 seconds\n", "error"),
        ("MAYFLY another Python runs it\n", "notice"),
        ("hello\n", "output"),
        ('{"a": 1}\n', "output"),
        (RAISED_JSON, "error"),
        (REPORT_JSON, "report"),
        (REPORT_JSON.replace("platform.report", "platform.start"), "platform"),
        ('{"timestamp": "t", "level": "INFO", "message": "hello"}\n', "output"),
    ],
)
def test_lines_are_told_apart(message: str, expected: str) -> None:
    assert kind(message) == expected


def test_a_report_is_short() -> None:
    report = "REPORT RequestId: 1\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 4 MB"
    assert figures(f"{report}\t\n") == "1.50 ms, 4 MB"
    assert figures(f"{report}\tInit Duration: 0.11 ms\t\n") == "1.50 ms, 4 MB, cold start 0.11 ms"
    assert figures(f"{report}\tStatus: timeout\t\n") == "1.50 ms, 4 MB, timeout"


def test_a_report_of_a_function_that_logs_json_is_as_short() -> None:
    assert figures(REPORT_JSON) == "2.51 ms, 4 MB, cold start 0.14 ms, error"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("hello", "hello"),
        ("2026-11-21T17:42:41.226Z\td1f1\tINFO\tevent fail", "event fail"),
        ("[INFO]\t2026-11-21T17:42:38.163Z\tae5b\tlogged", "[INFO] logged"),
        ('{"timestamp": "t", "level": "INFO", "message": "hello"}', "[INFO] hello"),
        ('{"level": "INFO", "message": {"a": 1}}', '[INFO] {"a": 1}'),
        ('{"message": "of a program, not of a runtime"}', '{"message": "of a program, not of a runtime"}'),
    ],
)
def test_what_a_function_wrote_is_shown_without_what_the_runtime_put_before_it(message: str, expected: str) -> None:
    assert said(message) == expected


def test_paths_are_those_of_the_package() -> None:
    assert shortened("see /var/task/app.py:3 and /var/tasks") == "see app.py:3 and /var/tasks"


def test_an_excerpt_has_the_lines_around_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1\n2\n3\n4\n")
    assert excerpt(tmp_path / "a.py", 1) == Excerpt(1, ((1, "1"), (2, "2"), (3, "3")))
    assert excerpt(tmp_path / "a.py", 4) == Excerpt(4, ((2, "2"), (3, "3"), (4, "4")))
    assert excerpt(tmp_path / "a.py", 5) is None
    assert excerpt(tmp_path / "none.py", 1) is None
