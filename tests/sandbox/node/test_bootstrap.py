"""What a function of Node.js finds: handlers, modules, answers, errors, logs. The same for every version, or said."""

import asyncio
import json
import time
from typing import Any

import pytest

from mayfly.sandbox import frames

from ..talk import Talk
from .conftest import Functions

pytestmark = pytest.mark.asyncio(loop_scope="module")


def result(frame: frames.Frame) -> Any:
    assert frame.kind == frames.RESULT, frame
    return json.loads(frame.payload)


def failure(frame: frames.Frame) -> dict[str, Any]:
    assert frame.kind in (frames.ERROR, frames.INIT_ERROR), frame
    found: dict[str, Any] = json.loads(frame.payload)
    return found


# How handlers answer.


async def test_an_async_handler_answers_with_what_it_returns(functions: Functions) -> None:
    talk = await functions.ready("exports.handler = async (event) => ({ twice: event.n * 2, s: 'ä☃' })")
    assert result(await talk.invoke({"n": 21})) == {"twice": 42, "s": "ä☃"}
    assert result(await talk.invoke({"n": 1}, request_id="request-2")) == {"twice": 2, "s": "ä☃"}


@pytest.mark.parametrize(("returned", "expected"), [("undefined", None), ("() => 1", None), ("[1, null]", [1, None])])
async def test_what_is_no_json_is_null(functions: Functions, returned: str, expected: Any) -> None:
    talk = await functions.ready(f"exports.handler = async () => ({returned})")
    assert result(await talk.invoke({})) == expected


async def test_what_cannot_be_json_is_an_error(functions: Functions) -> None:
    talk = await functions.ready("exports.handler = async () => { const a = {}; a.a = a; return a }")
    assert failure(await talk.invoke({}))["errorMessage"] == "Unable to stringify response body"


@pytest.mark.parametrize(
    "body",
    [
        "callback(null, event)",
        "setTimeout(() => callback(null, event), 5)",
        "context.succeed(event)",
        "context.done(null, event)",
        "return new Promise((resolve) => setTimeout(resolve, 5, event))",
    ],
)
async def test_until_22_a_handler_may_answer_by_callback_or_context(functions: Functions, body: str) -> None:
    talk = await functions.ready(
        f"exports.handler = (event, context, callback) => {{ {body} }}", identifier="nodejs22.x"
    )
    for number in range(2):
        assert result(await talk.invoke({"n": number})) == {"n": number}


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("callback(new TypeError('no'))", "TypeError", "no"),
        ("callback('no')", "string", "no"),
        ("context.fail()", "string", "handled"),
        ("context.done({ code: 3 })", "object", "[object Object]"),
        ("throw new RangeError('no')", "RangeError", "no"),
    ],
)
async def test_until_22_a_handler_may_fail_by_callback_or_context(
    functions: Functions, body: str, kind: str, message: str
) -> None:
    talk = await functions.ready(
        f"exports.handler = (event, context, callback) => {{ {body} }}", identifier="nodejs20.x"
    )
    error = failure(await talk.invoke({}))
    assert (error["errorType"], error["errorMessage"]) == (kind, message)


async def test_until_22_a_callback_waits_for_what_is_left_to_do_unless_told_not_to(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = (event, context, callback) => {\n"
        "  context.callbackWaitsForEmptyEventLoop = event.wait;\n"
        "  if (event.wait) setTimeout(() => console.log('done'), 30);\n"
        "  else setTimeout(() => {}, 1e6);\n"
        "  callback(null, 1);\n}",
        identifier="nodejs22.x",
    )
    assert result(await talk.invoke({"wait": True})) == 1
    assert talk.output().endswith("INFO\tdone\n")
    assert result(await talk.invoke({"wait": False})) == 1


async def test_until_22_a_handler_that_never_answers_answers_null(functions: Functions) -> None:
    talk = await functions.ready("exports.handler = () => {}", identifier="nodejs22.x")
    assert result(await talk.invoke({})) is None
    assert result(await talk.invoke({})) is None


async def test_only_the_first_answer_counts(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = (event, context, callback) => { callback(null, event); callback(null, 'again') }",
        identifier="nodejs22.x",
    )
    for number in range(3):
        assert result(await talk.invoke(number)) == number


async def test_from_24_on_a_handler_with_a_callback_is_refused_at_init(functions: Functions) -> None:
    _, frame = await functions.init("exports.handler = (event, context, callback) => {}", identifier="nodejs24.x")
    error = failure(frame)
    assert frame.kind == frames.INIT_ERROR
    assert error["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert error["errorMessage"].startswith(
        "ERROR: AWS Lambda has removed support for callback-based function handlers"
    )


async def test_from_24_on_what_a_handler_returns_is_its_answer_promise_or_not(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = (event, context) => [event, 'done' in context]", identifier="nodejs24.x"
    )
    assert result(await talk.invoke(1)) == [1, False]


async def test_from_24_on_a_handler_that_can_never_answer_ends_the_process(functions: Functions) -> None:
    talk = await functions.ready("exports.handler = async () => new Promise(() => {})", identifier="nodejs24.x")
    await talk.send_invoke({})
    with pytest.raises(ConnectionError):
        await talk.receive()
    assert (await talk.sandbox.exited()).code == 0


async def test_events_and_answers_of_megabytes_arrive_whole(functions: Functions) -> None:
    talk = await functions.ready("exports.handler = async (event) => event.text.toUpperCase()")
    text = "ab☃" * 1_500_000
    assert result(await talk.invoke({"text": text})) == text.upper()
    assert result(await talk.invoke({"text": "x"})) == "X"


# What a handler is told.


async def test_the_context_says_what_aws_documents(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = async (event, context) => ({ ...context, left: context.getRemainingTimeInMillis(), "
        "trace: process.env._X_AMZN_TRACE_ID })",
        memory_mb=256,
    )
    deadline = int(time.time() * 1000) + 5000
    told = result(
        await talk.invoke(
            {},
            request_id="id-1",
            deadline_ms=deadline,
            arn="arn:aws:lambda:us-east-1:000000000000:function:fn",
            trace_id="Root=1-2-3",
            client_context='{"custom": {"a": 1}}',
            identity='{"cognitoIdentityId": "i"}',
            tenant="blue",
        )
    )
    assert 0 < told.pop("left") <= 5000
    told.pop("callbackWaitsForEmptyEventLoop", None)
    assert told == {
        "functionVersion": "$LATEST",
        "functionName": "fn",
        "memoryLimitInMB": "256",
        "logGroupName": "/aws/lambda/fn",
        "logStreamName": "stream",
        "clientContext": {"custom": {"a": 1}},
        "identity": {"cognitoIdentityId": "i"},
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:fn",
        "awsRequestId": "id-1",
        "tenantId": "blue",
        "trace": "Root=1-2-3",
    }
    later = result(await talk.invoke({}))
    assert "trace" not in later
    assert "clientContext" not in later
    assert "tenantId" not in later


async def test_a_function_has_its_own_variables_and_no_others(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = async () => [Object.keys(process.env).sort(), process.env.COLOUR, process.cwd(), "
        "new Date(0).getHours()]",
        environment={"COLOUR": "red", "TZ": "Asia/Tokyo"},
    )
    names, colour, directory, hour = result(await talk.invoke({}))
    assert colour == "red"
    assert hour == 9
    assert directory == talk.task_root
    assert [name for name in names if not name.startswith("AWS_")] == ["COLOUR", "NODE_PATH", "PATH", "TZ"]


async def test_a_child_of_a_function_does_not_have_its_control_socket(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = async () => [require('fs').readlinkSync('/proc/self/fd/3'), "
        "require('child_process').execSync('ls -l /proc/self/fd').toString()]"
    )
    control, of_child = result(await talk.invoke({}))
    assert control.startswith("socket:")
    assert control not in of_child


# Where handlers and modules are found.


@pytest.mark.parametrize(
    ("name", "text", "handler"),
    [
        ("index.js", "exports.handler = async () => 'found'", "index.handler"),
        ("index.cjs", "exports.handler = async () => 'found'", "index.handler"),
        ("index.mjs", "export const handler = async () => 'found'", "index.handler"),
        ("a/b/main.js", "exports.run = async () => 'found'", "a/b/main.run"),
        ("a/b/main.mjs", "export const run = async () => 'found'", "a/b/main.run"),
        ("index.js", "exports.api = { users: { get: async () => 'found' } }", "index.api.users.get"),
        (
            "index.mjs",
            "const late = await Promise.resolve('found')\nexport const handler = async () => late",
            "index.handler",
        ),
        ("src/index.js", "exports.handler = async () => 'found'", "src.handler"),
        ("node_modules/pack/index.js", "exports.handler = async () => 'found'", "pack.handler"),
    ],
)
async def test_a_handler_is_found_where_aws_looks(functions: Functions, name: str, text: str, handler: str) -> None:
    talk = await functions.ready({name: text}, handler=handler)
    assert result(await talk.invoke({})) == "found"


async def test_the_nearest_package_says_what_js_files_are(functions: Functions) -> None:
    files = {
        "package.json": '{"type": "module"}',
        "index.js": "import fs from 'node:fs'\nexport const handler = async () => typeof fs.readFileSync",
        "old/package.json": "{}",
        "old/index.js": "exports.handler = async () => typeof module",
    }
    talk = await functions.ready(files)
    assert result(await talk.invoke({})) == "function"
    talk = await functions.ready(files, handler="old/index.handler")
    assert result(await talk.invoke({})) == "object"


async def test_modules_of_layers_are_found_by_both_kinds_of_modules(functions: Functions, tmp_path: Any) -> None:
    layer, major = tmp_path / "layer", functions.identifier.removesuffix(".x").removeprefix("nodejs")
    for directory, name in ((f"nodejs/node{major}", "versioned"), ("nodejs", "plain")):
        package = layer / directory / "node_modules" / name
        package.mkdir(parents=True)
        (package / "index.js").write_text(f"module.exports = '{name}'")
    files = {
        "index.mjs": "import a from 'versioned'\nimport b from 'plain'\nexport const handler = async () => [a, b]",
        "old.js": "exports.handler = async () => [require('versioned'), require('plain')]",
    }
    for handler in ("index.handler", "old.handler"):
        talk = await functions.ready(files, handler=handler, layers=(layer,))
        assert result(await talk.invoke({})) == ["versioned", "plain"]


async def test_the_own_modules_of_a_function_come_before_those_of_layers(functions: Functions, tmp_path: Any) -> None:
    package = tmp_path / "layer" / "nodejs" / "node_modules" / "both"
    package.mkdir(parents=True)
    (package / "index.js").write_text("module.exports = 'layer'")
    files = {
        "index.js": "exports.handler = async () => require('both')",
        "node_modules/both/index.js": "module.exports = 'own'",
    }
    talk = await functions.ready(files, layers=(tmp_path / "layer",))
    assert result(await talk.invoke({})) == "own"


@pytest.mark.parametrize(
    ("files", "handler", "kind", "message"),
    [
        ({"other.js": ""}, "index.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'index'"),
        ("require('absent')", "index.handler", "Runtime.ImportModuleError", "Error: Cannot find module 'absent'"),
        ({"index.mjs": "import 'absent'"}, "index.handler", "Error", "Cannot find package 'absent' imported from"),
        ("exports.other = 1", "index.handler", "Runtime.HandlerNotFound", "index.handler is undefined or not exported"),
        ("exports.handler = 1", "index.handler", "Runtime.HandlerNotFound", "index.handler is not a function"),
        ("exports.handler = (", "index.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ({"index.mjs": "export const = 1"}, "index.handler", "Runtime.UserCodeSyntaxError", "SyntaxError: "),
        ("", "index", "Runtime.MalformedHandlerName", "Bad handler"),
        ("", "../index.handler", "Runtime.MalformedHandlerName", "'../index.handler' is not a valid handler name."),
        ("throw new RangeError('at load')", "index.handler", "RangeError", "at load"),
        ("throw 'text'", "index.handler", "string", "text"),
        ({"index.mjs": "await Promise.reject(new TypeError('late'))"}, "index.handler", "TypeError", "late"),
    ],
)
async def test_what_keeps_a_function_from_loading_has_the_name_that_aws_gives_it(
    functions: Functions, files: Any, handler: str, kind: str, message: str
) -> None:
    talk, frame = await functions.init(files, handler=handler)
    error = failure(frame)
    assert frame.kind == frames.INIT_ERROR
    assert error["errorType"] == kind
    assert error["errorMessage"].startswith(message)
    assert "\tundefined\tERROR\tUncaught Exception \t{" in talk.output()
    assert (await talk.sandbox.exited()).code == 129


async def test_an_import_that_waits_for_ever_ends_the_process(functions: Functions) -> None:
    with pytest.raises(ConnectionError):
        await functions.init({"index.mjs": "await new Promise(() => {})"})


# Errors.


async def test_an_error_has_its_name_its_message_and_its_trace_and_is_in_the_log(functions: Functions) -> None:
    talk = await functions.ready(
        "class Odd extends Error { constructor(m) { super(m); this.name = 'Odd'; this.hint = 'h' } }\n"
        "exports.handler = async () => { throw new Odd('so') }"
    )
    frame = await talk.invoke({}, request_id="id-7")
    error = failure(frame)
    assert frame.meta == {"fatal": False}
    assert (error["errorType"], error["errorMessage"]) == ("Odd", "so")
    assert error["trace"][0] == "Odd: so"
    assert "index.js" in error["trace"][1]
    logged = talk.output()
    assert "\tid-7\tERROR\tInvoke Error \t" in logged
    assert json.loads(logged.partition("Invoke Error \t")[2])["hint"] == "h"
    assert failure(await talk.invoke({}))["errorType"] == "Odd"


@pytest.mark.parametrize(
    ("body", "kind", "message", "code"),
    [
        ("setTimeout(() => { throw new RangeError('late') }, 1)", "RangeError", "late", 129),
        ("Promise.reject(new TypeError('lost'))", "Runtime.UnhandledPromiseRejection", "TypeError: lost", 128),
        ("Promise.reject('text')", "Runtime.UnhandledPromiseRejection", "text", 128),
    ],
)
async def test_what_nobody_catches_fails_the_call_and_ends_the_process(
    functions: Functions, body: str, kind: str, message: str, code: int
) -> None:
    talk = await functions.ready(
        f"exports.handler = async () => {{ {body}; await new Promise((go) => setTimeout(go, 10000)) }}"
    )
    frame = await talk.invoke({})
    error = failure(frame)
    assert frame.meta == {"fatal": True}
    assert (error["errorType"], error["errorMessage"]) == (kind, message)
    assert (await talk.sandbox.exited()).code == code


async def test_a_function_that_exits_does_not_answer(functions: Functions) -> None:
    talk = await functions.ready("exports.handler = async () => process.exit(7)")
    await talk.send_invoke({})
    with pytest.raises(ConnectionError):
        await talk.receive()
    assert (await talk.sandbox.exited()).code == 7


# Logs.


async def test_a_line_of_the_log_has_time_request_level_and_message(functions: Functions) -> None:
    talk = await functions.ready(
        "console.log('init')\n"
        "exports.handler = async () => { console.log('a %s', 'b', { c: 1 }); console.warn('two\\nlines'); "
        "console.error('e'); console.debug('d'); process.stdout.write('raw\\n') }"
    )
    await talk.invoke({}, request_id="id-1")
    lines = talk.output().split("\n")[:-1]
    assert [line.split("\t", 1)[1] for line in lines[:-1]] == [
        "undefined\tINFO\tinit",
        "id-1\tINFO\ta b { c: 1 }",
        "id-1\tWARN\ttwo\rlines",
        "id-1\tERROR\te",
        "id-1\tDEBUG\td",
    ]
    assert lines[-1] == "raw"
    assert lines[0][10] == "T"
    assert lines[0].split("\t")[0].endswith("Z")


async def test_a_log_in_json_has_one_object_a_line_from_its_level_on(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = async () => { console.info('no'); console.warn('w', 1); console.error(new TypeError('t')) }",
        environment={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "WARN"},
    )
    await talk.invoke({}, request_id="id-1")
    first, second = [json.loads(line) for line in talk.output().splitlines()]
    assert first == {"timestamp": first["timestamp"], "level": "WARN", "requestId": "id-1", "message": "w 1"}
    assert (second["message"]["errorType"], second["message"]["errorMessage"]) == ("TypeError", "t")


async def test_everything_printed_is_in_the_pipe_before_the_answer(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = async () => { for (let i = 0; i < 300; i++) console.log('line', i) }"
    )
    await talk.invoke({})
    assert talk.output().count("\n") == 300


# Streams.


async def parts(talk: Talk) -> tuple[frames.Frame, bytes, frames.Frame]:
    """A result that comes in parts: how it begins, what it is, how it ends. All of it is taken as it comes."""
    first = await talk.receive()
    body = b""
    while (frame := await talk.receive()).kind == frames.CHUNK:
        body += frame.payload
        more = frames.encode(frames.MORE, {"bytes": len(frame.payload)}, b"", frame.number)
        await asyncio.get_running_loop().sock_sendall(talk.sandbox.control, more)
    return first, body, frame


async def test_a_streaming_handler_sends_its_answer_in_parts(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {\n"
        "  stream.setContentType('text/plain'); stream.write('a' + event.n);\n"
        "  setTimeout(() => { stream.write('b'); stream.end() }, 5) })"
    )
    for number in (1, 2):
        await talk.send_invoke({"n": number}, number)
        first, body, last = await parts(talk)
        assert (first.kind, first.number, first.meta) == (frames.STREAM, number, {"content_type": "text/plain"})
        assert body == f"a{number}b".encode()
        assert (last.kind, last.number, last.payload) == (frames.RESULT, number, b"")


async def test_what_is_neither_text_nor_bytes_is_streamed_as_json(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  stream.write([{ a: 1 }]); stream.write(new Uint8Array([65])); stream.write(7); stream.end({ b: null }) })"
    )
    await talk.send_invoke({})
    _, body, _ = await parts(talk)
    assert body == b'[{"a":1}]A7{"b":null}'


async def test_no_more_parts_are_sent_than_are_taken(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  for (let i = 0; i < 30; i++) if (!stream.write(Buffer.alloc(100000, i))) "
        "await new Promise((go) => stream.once('drain', go));\n  console.log('written'); stream.end() })"
    )
    await talk.send_invoke({})
    assert (await talk.receive()).kind == frames.STREAM
    sent = 0
    while sent < frames.STREAM_WINDOW:
        sent += len((await talk.receive()).payload)
    assert sent == frames.STREAM_WINDOW
    assert "written" not in talk.output()
    more = frames.encode(frames.MORE, {"bytes": 3_000_000}, b"", 1)
    await asyncio.get_running_loop().sock_sendall(talk.sandbox.control, more)
    while (frame := await talk.receive()).kind == frames.CHUNK:
        sent += len(frame.payload)
    assert (sent, frame.kind) == (3_000_000, frames.RESULT)


async def test_a_stream_with_a_prelude_says_what_http_response_it_is(functions: Functions) -> None:
    talk = await functions.ready(
        "const { pipeline } = require('stream/promises')\nconst { Readable } = require('stream')\n"
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-a': 'b' } })\n"
        "  if (event.empty) stream.end(); else await pipeline(Readable.from(['one', 'two']), stream) })"
    )
    for number, (event, expected) in enumerate((({}, b"onetwo"), ({"empty": True}, b""))):
        await talk.send_invoke(event, number)
        first, body, _ = await parts(talk)
        assert first.meta == {"content_type": "application/vnd.awslambda.http-integration-response"}
        head, _, rest = body.partition(b"\0" * 8)
        assert json.loads(head) == {"statusCode": 201, "headers": {"x-a": "b"}}
        assert rest == expected


async def test_a_streaming_handler_that_fails_after_its_first_part_ends_with_the_error(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  stream.write('a'); await new Promise((go) => setTimeout(go, 5)); throw new RangeError('no') })"
    )
    await talk.send_invoke({})
    _, body, last = await parts(talk)
    assert body == b"a"
    assert failure(last)["errorType"] == "RangeError"


async def test_a_streaming_handler_that_fails_is_an_error(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => { throw new RangeError('no') })"
    )
    assert failure(await talk.invoke({}))["errorType"] == "RangeError"


# How it is started.


async def test_options_for_node_and_a_wrapper_count(functions: Functions) -> None:
    talk = await functions.ready(
        {
            "wrapper": '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n',
            "index.js": "exports.handler = async () => [process.env.WRAPPED, process.execArgv.length, "
            "require('v8').getHeapStatistics().heap_size_limit >> 20]",
        },
        environment={
            "AWS_LAMBDA_EXEC_WRAPPER": "TASK_ROOT/wrapper",
            "NODE_OPTIONS": "--max-old-space-size=300",
        },
    )
    wrapped, options, heap_mb = result(await talk.invoke({}))
    assert (wrapped, options) == ("yes", 0)
    assert 300 <= heap_mb < 500


@pytest.mark.parametrize(
    ("files", "said", "code"),
    [({}, "does not exist", 127), ({"wrapper": "text"}, "is not an executable", 126)],
)
async def test_a_wrapper_that_cannot_be_run_is_said(
    functions: Functions, files: dict[str, str], said: str, code: int
) -> None:
    environment = {"AWS_LAMBDA_EXEC_WRAPPER": "TASK_ROOT/wrapper"}
    talk = await functions.start({"index.js": "", **files}, environment=environment)
    with pytest.raises(ConnectionError):
        await talk.receive()
    assert (await talk.sandbox.exited()).code == code
    assert talk.output() == f"{talk.task_root}/wrapper: {said}\n"


async def test_objects_may_take_what_memory_the_function_has(functions: Functions) -> None:
    talk = await functions.ready(
        "exports.handler = async () => require('v8').getHeapStatistics().heap_size_limit >> 20", memory_mb=512
    )
    assert 460 <= result(await talk.invoke({})) < 600
