"""The managed Python runtime to the letter of AWS's, on every interpreter that this machine has."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mayfly.sandbox import frames, interpreters
from mayfly.sandbox.api import Interpreter
from mayfly.sandbox.process import ProcessFactory

from .talk import Talk, Talks

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOUND = interpreters.find(os.environ.get("PATH", ""), Path.home())

HANDLERS = {
    "app.py": """
import decimal, json, logging, os, sys

def echo(event, context):
    return event

def fails(event, context):
    def deeper():
        raise ValueError("bad\\nnews")
    deeper()

def odd(event, context):
    return {1, 2}

def number(event, context):
    return {"pi": decimal.Decimal("3.14159265358979323846"), "text": "\\u00e9", "not": decimal.Decimal("NaN")}

def raw(event, context):
    return b"as it is"

def leaves(event, context):
    print("leaving")
    sys.exit(event)

def interrupted(event, context):
    raise KeyboardInterrupt

def about(event, context):
    return {name: getattr(context, name) for name in (
        "aws_request_id", "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb",
        "log_group_name", "log_stream_name", "tenant_id")} | {
        "remaining": context.get_remaining_time_in_millis(),
        "identity": [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],
        "client": context.client_context and [
            context.client_context.custom, context.client_context.env, context.client_context.client.app_title],
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }

def logs(event, context):
    context.log("from context\\n")
    logging.getLogger().debug("not shown")
    logging.info("not shown")
    logging.warning("two\\nlines")
    logging.getLogger().setLevel("INFO")
    logging.getLogger("mine").info("%s", "now shown")
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("caught")
    print("printed", file=sys.stderr)

def environment(event, context):
    return dict(os.environ)

def paths(event, context):
    return [sys.path, sorted(name for name in sys.modules if name.partition(".")[0] == "mayfly"), os.getcwd()]

def closes(event, context):
    sys.stdout.close()
    return "still here"

def rude(event, context):
    class Rude(Exception):
        def __str__(self):
            raise RuntimeError("no text for you")
    raise Rude

not_callable = 3
""",
    "broken.py": "def f(:\n",
    "raises.py": "CONFIG = {}\nCONFIG['missing']\n",
    "imports.py": "import not_installed_here\n",
    "leaves_at_once.py": "import sys\nprint('bye')\nsys.exit(3)\n",
    "package/__init__.py": "",
    "package/inner.py": "def handler(event, context):\n    return __name__\n",
    "queue.py": "MINE = True\ndef handler(event, context):\n    return MINE\n",
    "six.py": "",
}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("code")
    for name, text in HANDLERS.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return directory


@pytest.fixture(scope="module", params=FOUND, ids=lambda one: ".".join(map(str, one.version)))
def python(request: pytest.FixtureRequest) -> Interpreter:
    interpreter: Interpreter = request.param
    return interpreter


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def factory(python: Interpreter) -> AsyncIterator[ProcessFactory]:
    factory = ProcessFactory()
    await factory.prepare("python3.x", python)
    yield factory
    await factory.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def talks(factory: ProcessFactory) -> AsyncIterator[Talks]:
    talks = Talks(factory)
    yield talks
    await talks.close()


async def failed_init(talks: Talks, code: Path, handler: str) -> tuple[dict[str, Any], str]:
    """The error object of an init that fails, and what was logged."""
    talk = await talks.start(code)
    frame = await talk.init(handler)
    assert frame.kind == frames.INIT_ERROR
    how = await talk.sandbox.exited()
    assert (how.reason, how.code) == ("exited", 1)
    failure: dict[str, Any] = json.loads(frame.payload)
    return failure, talk.output()


async def invoked(talks: Talks, code: Path, handler: str, event: Any = None, **meta: Any) -> tuple[Talk, frames.Frame]:
    talk = await talks.start(code)
    ready = await talk.init(handler, {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"})
    assert ready.kind == frames.READY
    assert ready.meta["init_ms"] > 0
    return talk, await talk.invoke(event, **meta)


async def test_a_module_that_is_missing(talks: Talks, code: Path) -> None:
    failure, log = await failed_init(talks, code, "nothing.handler")
    assert failure == {
        "errorMessage": "Unable to import module 'nothing': No module named 'nothing'",
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
        "stackTrace": [],
    }
    assert log.startswith("[ERROR] Runtime.ImportModuleError: Unable to import module 'nothing': No module named")
    assert log.count("\n") == 1


async def test_a_module_whose_imports_are_missing(talks: Talks, code: Path) -> None:
    failure, _ = await failed_init(talks, code, "imports.handler")
    assert failure["errorMessage"] == "Unable to import module 'imports': No module named 'not_installed_here'"
    assert failure["errorType"] == "Runtime.ImportModuleError"


async def test_a_module_with_a_syntax_error(talks: Talks, code: Path) -> None:
    failure, _ = await failed_init(talks, code, "broken.f")
    assert failure["errorType"] == "Runtime.UserCodeSyntaxError"
    assert failure["errorMessage"].startswith("Syntax error in module 'broken': invalid syntax")
    assert failure["stackTrace"] == [f'  File "{code}/broken.py" Line 1\n    def f(:\n']


async def test_a_module_that_raises(talks: Talks, code: Path) -> None:
    failure, log = await failed_init(talks, code, "raises.handler")
    assert (failure["errorType"], failure["errorMessage"]) == ("KeyError", "'missing'")
    assert len(failure["stackTrace"]) == 1
    assert failure["stackTrace"][0].startswith(f'  File "{code}/raises.py", line 2, in <module>\n    CONFIG[')
    assert log.startswith("[ERROR] KeyError: 'missing'\rTraceback (most recent call last):\r\u00a0\u00a0File")


async def test_a_handler_that_is_missing(talks: Talks, code: Path) -> None:
    failure, _ = await failed_init(talks, code, "app.nothing")
    assert failure["errorType"] == "Runtime.HandlerNotFound"
    assert failure["errorMessage"] == "Handler 'nothing' missing on module 'app'"


async def test_a_handler_name_without_a_dot(talks: Talks, code: Path) -> None:
    failure, _ = await failed_init(talks, code, "handler")
    assert failure["errorType"] == "Runtime.MalformedHandlerName"
    assert failure["errorMessage"] == "Bad handler 'handler': not enough values to unpack (expected 2, got 1)"


@pytest.mark.parametrize("handler", [".handler", "..handler", "a..handler", "sys.exit", ""])
async def test_a_handler_name_that_names_no_module_of_a_function(talks: Talks, code: Path, handler: str) -> None:
    failure, _ = await failed_init(talks, code, handler)
    assert failure["errorType"].startswith("Runtime.")


async def test_leaving_during_init_ends_the_runtime_with_its_status(talks: Talks, code: Path) -> None:
    talk = await talks.start(code)
    with pytest.raises(ConnectionError):
        await talk.init("leaves_at_once.handler")
    how = await talk.sandbox.exited()
    assert (how.reason, how.code, talk.output()) == ("exited", 3, "bye\n")


@pytest.mark.parametrize(("event", "status"), [(0, 0), (5, 5), (None, 0), ("why", 1)])
async def test_leaving_during_a_call_ends_the_runtime_with_its_status(
    talks: Talks, code: Path, event: Any, status: int
) -> None:
    talk = await talks.start(code)
    await talk.init("app.leaves")
    with pytest.raises(ConnectionError):
        await talk.invoke(event)
    how = await talk.sandbox.exited()
    assert (how.reason, how.code) == ("exited", status)
    assert talk.output() == "leaving\n" + ("why\n" if event == "why" else "")


async def test_an_interrupt_ends_the_runtime(talks: Talks, code: Path) -> None:
    talk = await talks.start(code)
    await talk.init("app.interrupted")
    with pytest.raises(ConnectionError):
        await talk.invoke(None)
    assert (await talk.sandbox.exited()).code == 1
    assert "[ERROR] KeyboardInterrupt" in talk.output()


async def test_an_exception_is_reported_with_the_functions_own_frames(talks: Talks, code: Path) -> None:
    talk, frame = await invoked(talks, code, "app.fails")
    failure = json.loads(frame.payload)
    assert (frame.kind, frame.meta) == (frames.ERROR, {"fatal": False})
    assert list(failure) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (failure["errorMessage"], failure["errorType"], failure["requestId"]) == (
        *("bad\nnews", "ValueError"),
        "request-1",
    )
    assert [line.split(", in ")[1].split("\n")[0] for line in failure["stackTrace"]] == ["fails", "deeper"]
    assert all(str(code) in line for line in failure["stackTrace"])
    log = talk.output()
    assert log.startswith("[ERROR] ValueError: bad\rnews\rTraceback (most recent call last):\r\u00a0\u00a0File ")
    assert log.count("\n") == 1
    assert (await talk.invoke(None)).kind == frames.ERROR  # it lives on


async def test_an_exception_without_a_text_is_reported_all_the_same(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.rude")
    failure = json.loads(frame.payload)
    assert (failure["errorType"], failure["errorMessage"]) == ("Rude", "")


async def test_a_handler_that_cannot_be_called(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.not_callable")
    failure = json.loads(frame.payload)
    assert (failure["errorType"], failure["errorMessage"]) == ("TypeError", "'int' object is not callable")


async def test_a_result_that_is_no_json(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.odd")
    assert json.loads(frame.payload) == {
        "errorMessage": "Unable to marshal response: Object of type set is not JSON serializable",
        "errorType": "Runtime.MarshalError",
        "requestId": "request-1",
        "stackTrace": [],
    }


async def test_an_event_that_is_no_json(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.echo", b"{")
    failure = json.loads(frame.payload)
    assert failure["errorType"] == "Runtime.UnmarshalError"
    assert failure["errorMessage"].startswith("Unable to unmarshal input: ")


async def test_decimals_keep_their_digits_and_text_its_letters(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.number")
    assert frame.payload.decode() == '{"pi": 3.14159265358979323846, "text": "é", "not": NaN}'


@pytest.mark.parametrize(("runtime", "text"), [("python3.11", b'"\\u00e9"'), ("python3.13", '"é"'.encode())])
async def test_letters_are_escaped_as_the_runtimes_generation_does(
    talks: Talks, code: Path, runtime: str, text: bytes
) -> None:
    talk = await talks.start(code)
    await talk.init("app.echo", {"AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}"})
    assert (await talk.invoke("é")).payload == text


async def test_bytes_pass_as_they_are(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.raw")
    assert (frame.kind, frame.payload) == (frames.RESULT, b"as it is")


async def test_large_events_and_results_pass(talks: Talks, code: Path) -> None:
    event = {"block": "x" * (6 << 20)}
    _, frame = await invoked(talks, code, "app.echo", event)
    assert json.loads(frame.payload) == event


async def test_a_package_may_be_named_with_dots_or_slashes(talks: Talks, code: Path) -> None:
    for name in ("package.inner.handler", "package/inner.handler"):
        _, frame = await invoked(talks, code, name)
        assert json.loads(frame.payload) == "package.inner"


async def test_the_functions_own_modules_come_before_those_of_the_runtime(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "queue.handler")
    assert json.loads(frame.payload) is True


async def test_the_context_has_what_aws_documents(talks: Talks, code: Path) -> None:
    client = {"client": {"app_title": "App"}, "custom": {"a": 1}, "env": {"b": 2}}
    identity = {"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}
    talk, frame = await invoked(
        *(talks, code, "app.about"),
        client_context=json.dumps(client),
        identity=json.dumps(identity),
        trace_id="Root=1",
        tenant="blue",
    )
    about = json.loads(frame.payload)
    assert 25_000 < about.pop("remaining") <= 30_000
    assert about == {
        "aws_request_id": "request-1",
        "function_name": "f",
        "function_version": None,
        "invoked_function_arn": "arn:f",
        "memory_limit_in_mb": "128",
        "log_group_name": None,
        "log_stream_name": None,
        "tenant_id": "blue",
        "identity": ["id", "pool"],
        "client": [{"a": 1}, {"b": 2}, "App"],
        "trace": "Root=1",
    }
    plain = json.loads((await talk.invoke(None)).payload)
    assert (plain["identity"], plain["client"], plain["trace"]) == ([None, None], None, None)
    assert plain["tenant_id"] is None


async def test_a_client_context_that_is_no_json(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.about", client_context="{")
    failure = json.loads(frame.payload)
    assert failure["errorType"] == "Runtime.LambdaContextUnmarshalError"
    assert failure["errorMessage"].startswith("Unable to parse Client Context JSON: ")


async def test_no_time_remains_after_the_deadline(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.about", deadline_ms=1000)
    assert json.loads(frame.payload)["remaining"] == 0


async def test_log_records_are_lines_in_awss_format(talks: Talks, code: Path) -> None:
    talk, _ = await invoked(talks, code, "app.logs")
    lines = talk.output().split("\n")
    assert lines[0] == "from context"
    shape = [line.split("\t") for line in lines[1:4]]
    assert [(fields[0], fields[2]) for fields in shape] == [
        ("[WARNING]", "request-1"),
        ("[INFO]", "request-1"),
        ("[ERROR]", "request-1"),
    ]
    assert all(len(fields[1]) == len("2026-01-31T12:00:00.000Z") and fields[1].endswith("Z") for fields in shape)
    assert (shape[0][3], shape[1][3]) == ("two\rlines", "now shown")
    assert shape[2][3].startswith("caught\rTraceback (most recent call last):\r  File ")
    assert lines[4:] == ["printed", ""]


async def test_log_records_are_json_objects_when_the_function_asks_for_it(talks: Talks, code: Path) -> None:
    talk = await talks.start(code)
    await talk.init("app.logs", {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "ERROR"})
    await talk.invoke(None)
    lines = talk.output().split("\n")
    shown, caught = json.loads(lines[1]), json.loads(lines[2])
    assert {name: shown[name] for name in ("level", "message", "logger", "requestId")} == {
        "level": "INFO",
        "message": "now shown",
        "logger": "mine",
        "requestId": "request-1",
    }
    assert (caught["errorType"], caught["errorMessage"]) == ("ZeroDivisionError", "division by zero")


async def test_the_environment_is_exactly_what_was_given(talks: Talks, code: Path) -> None:
    talk = await talks.start(code)
    given = {"A": "1", "EMPTY": "", "UMLAUT": "ä", "TZ": ":UTC"}
    await talk.init("app.environment", given)
    assert json.loads((await talk.invoke(None)).payload) == given


async def test_the_search_path_is_awss_and_mayfly_is_out_of_sight(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.paths")
    path, own, directory = json.loads(frame.payload)
    assert (path[0], directory) == (str(code), str(code))
    assert not any(entry.endswith(("site-packages", "src")) for entry in path)
    assert own == []


async def test_a_function_that_closes_its_output_is_still_answered_for(talks: Talks, code: Path) -> None:
    _, frame = await invoked(talks, code, "app.closes")
    assert json.loads(frame.payload) == "still here"


async def begin_with_a_call(talks: Talks, tmp_path: Path, module: str) -> Talk:
    """A runtime that has heard what to load, and right behind it a call that may take a second."""
    await asyncio.to_thread((tmp_path / "slow.py").write_text, module)
    talk = await talks.start(tmp_path)
    await talk.send(frames.INIT, {"handler": "slow.f", "environment": {}, "task_root": talk.task_root})
    await send_ahead(talk, 1, 1000)
    return talk


async def test_a_call_that_came_with_the_code_begins_when_init_is_done_and_has_all_of_its_time(
    talks: Talks, tmp_path: Path
) -> None:
    slow = "import time\ntime.sleep(0.6)\ndef f(event, context): return context.get_remaining_time_in_millis()\n"
    talk = await begin_with_a_call(talks, tmp_path, slow)
    ready = await talk.receive()
    assert (ready.kind, ready.flags) == (frames.READY, frames.QUIET)
    assert 500 < json.loads((await talk.receive()).payload) <= 1000


async def test_a_call_that_came_with_the_code_begins_when_what_init_printed_has_been_read(
    talks: Talks, tmp_path: Path
) -> None:
    says = "print('init', flush=True)\ndef f(event, context): print('call')\n"
    talk = await begin_with_a_call(talks, tmp_path, says)
    ready = await talk.receive()
    assert (ready.kind, ready.flags) == (frames.READY, 0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(talk.receive(), 0.1)
    assert talk.printed == b"init\n"
    await talk.send(frames.CONTINUE, {})
    assert (await talk.receive()).kind == frames.RESULT
    assert talk.output() == "init\ncall\n"


async def test_a_call_that_was_sent_ahead_has_its_time_from_when_it_begins(talks: Talks, code: Path) -> None:
    talk = await talks.start(code)
    await talk.init("app.about")
    await send_ahead(talk, 7, 5000)
    about = json.loads((await talk.receive()).payload)
    assert 4000 < about["remaining"] <= 5000


async def test_a_call_that_was_sent_ahead_begins_when_what_was_printed_before_it_has_been_read(
    talks: Talks, tmp_path: Path
) -> None:
    text = "def f(event, context):\n    print(event['n'])\n    return event['n']\n"
    await asyncio.to_thread((tmp_path / "says.py").write_text, text)
    talk = await talks.start(tmp_path)
    await talk.init("says.f")
    await talk.send_invoke({"n": 1})
    await send_ahead(talk, 2, 5000, {"n": 2})
    await send_ahead(talk, 3, 5000, {"n": 3})
    for n in (1, 2, 3):
        frame = await talk.receive()
        assert json.loads(frame.payload) == n
        assert not frame.flags & frames.QUIET
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(talk.receive(), 0.1)
        assert talk.printed.split() == [str(each).encode() for each in range(1, n + 1)]
        await talk.send(frames.CONTINUE, {})


async def test_a_runtime_says_how_long_a_handler_took(talks: Talks, tmp_path: Path) -> None:
    text = "import time\ndef f(event, context): time.sleep(event)\n"
    await asyncio.to_thread((tmp_path / "naps.py").write_text, text)
    talk = await talks.start(tmp_path)
    await talk.init("naps.f")
    short, long = await talk.invoke(0), await talk.invoke(0.4)
    assert 1 <= short.flags >> frames.TOOK_SHIFT < frames.MOST_TOOK
    assert long.flags >> frames.TOOK_SHIFT == frames.MOST_TOOK


async def send_ahead(talk: Talk, number: int, allowed_ms: int, event: object = None) -> None:
    head = frames.call_head(f"request-{number}", allowed_ms, "arn:f")
    loop = asyncio.get_running_loop()
    frame = frames.encode_call(number, head, json.dumps(event).encode(), frames.AHEAD)
    await loop.sock_sendall(talk.sandbox.control, frame)
