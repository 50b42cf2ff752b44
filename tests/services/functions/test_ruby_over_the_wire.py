"""Functions of Ruby on a running platform, as boto3 sees them."""

import base64
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mayfly.sandbox import rubies
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import Deploy, deploy, functions, invoke, role
from tests.services.functions.test_programs_over_the_wire import package

__all__ = ["deploy", "functions", "role"]

RUBIES = rubies.find(os.environ.get("PATH", ""), Path.home())
# Where the project itself is tested there is one.
pytestmark = pytest.mark.skipif(not RUBIES and not os.environ.get("CI"), reason="no Ruby here: apt install ruby")

CODE = """
require 'json'
$calls = 0
class Oops < StandardError; end
def lambda_handler(event:, context:)
  $calls += 1
  case event['do']
  when 'divide' then 1 / 0
  when 'raise' then raise Oops, event['text']
  when 'misspell' then nowhere_to_be_found
  when 'exit' then exit!(3)
  when 'sleep' then sleep
  when 'print' then puts(event['text']); warn('warned')
  when 'io' then StringIO.new('plain')
  when 'calls' then [$calls, Process.pid]
  when 'world'
    { version: RUBY_VERSION, zone: ENV['TZ'], encoding: [Encoding.default_external.name, ENV['GIVEN']],
      gems: ENV['GEM_PATH'].split(':'), library: ENV['RUBYLIB'], trace: ENV['_X_AMZN_TRACE_ID'] }
  when 'context'
    names = %i[function_name function_version invoked_function_arn memory_limit_in_mb aws_request_id log_group_name
               log_stream_name deadline_ms identity client_context get_remaining_time_in_millis]
    names.to_h { |name| [name, context.public_send(name)] }
  else event
  end
end
"""


def ruby(deploy: Deploy, files: dict[str, str] | None = None, **params: Any) -> str:
    usual = {"Runtime": "ruby3.3", "Handler": "lambda_function.lambda_handler"}
    code = {"ZipFile": zipped(files or {"lambda_function.rb": CODE})}
    return deploy(**{**usual, "Code": code, **params})


def test_what_a_handler_of_ruby_returns_is_the_answer(functions: Any, deploy: Deploy) -> None:
    name = ruby(deploy)
    for event in ({"ä": [1, None, 2.5]}, {"x": "日本"}, {}):
        assert invoke(functions, name, event)["Payload"] == event
    first = invoke(functions, name, {"do": "calls"})["Payload"]
    again = invoke(functions, name, {"do": "calls"})["Payload"]
    assert first == [4, again[1]]  # the process is the same, and so is the connection
    assert again[0] == 5
    large = {"x": "é" * 1_000_000}
    assert invoke(functions, name, large)["Payload"] == large
    plain = functions.invoke(FunctionName=name, Payload=b'{"do": "io"}')
    assert plain["Payload"].read() == b"plain"


@pytest.mark.parametrize(
    ("handler", "files"),
    [
        ("app.run", {"app.rb": "def run(event:, context:) = 'it ran'"}),
        ("app.My::Code.run", {"app.rb": "module My; class Code; def self.run(event:, context:) = 'it ran'; end; end"}),
        (
            "in/side/app.run",
            {"in/side/app.rb": "require 'lib/it'\ndef run(event:, **) = IT", "lib/it.rb": "IT='it ran'"},
        ),
        ("json.run", {"json.rb": "def run(event:, context:) = 'it ran'"}),
    ],
)
def test_a_handler_is_named_as_on_aws(functions: Any, deploy: Deploy, handler: str, files: dict[str, str]) -> None:
    assert invoke(functions, ruby(deploy, files, Handler=handler), {})["Payload"] == "it ran"


def test_gems_that_a_package_brings_are_found(functions: Any, deploy: Deploy) -> None:
    place = "vendor/bundle/ruby/3.3.0"
    specification = "Gem::Specification.new { |s| s.name = 'told'; s.version = '1.2'; s.require_paths = ['lib'] }"
    files = {
        "app.rb": "require 'told'\ndef run(event:, context:) = TOLD",
        f"{place}/specifications/told-1.2.gemspec": specification,
        f"{place}/gems/told-1.2/lib/told.rb": "TOLD = 'by a gem'",
    }
    assert invoke(functions, ruby(deploy, files, Handler="app.run"), {})["Payload"] == "by a gem"


def test_the_context_is_the_documented_one(functions: Any, deploy: Deploy) -> None:
    name = ruby(deploy, MemorySize=256)
    client = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    reply = invoke(functions, name, {"do": "context"}, ClientContext=client)
    context = reply["Payload"]
    assert (context["function_name"], context["function_version"]) == (name, "$LATEST")
    assert context["invoked_function_arn"].endswith(f":function:{name}")
    assert context["memory_limit_in_mb"] == "256"
    assert context["aws_request_id"] == reply["ResponseMetadata"]["RequestId"]
    assert context["log_group_name"] == f"/aws/lambda/{name}"
    assert "[$LATEST]" in context["log_stream_name"]
    assert context["client_context"] == {"custom": {"a": "b"}}
    assert 0 < context["get_remaining_time_in_millis"] <= 20_000
    assert context["deadline_ms"] > 1_700_000_000_000


def test_the_environment_of_ruby_is_that_of_aws(functions: Any, deploy: Deploy) -> None:
    name = ruby(deploy, Environment={"Variables": {"GIVEN": "größer"}})
    world = invoke(functions, name, {"do": "world"})["Payload"]
    assert (world["zone"], world["encoding"]) == (":UTC", ["UTF-8", "größer"])
    assert world["gems"][:2] == ["/var/task/vendor/bundle/ruby/3.3.0", "/opt/ruby/gems/3.3.0"]
    assert world["library"] == "/var/task:/opt/ruby/lib"
    assert world["version"] in {".".join(map(str, one.version)) for one in RUBIES}


def test_errors_of_ruby_are_told_as_aws_tells_them(functions: Any, deploy: Deploy) -> None:
    name = ruby(deploy)
    reply = invoke(functions, name, {"do": "divide"}, LogType="Tail")
    error = reply["Payload"]
    assert (reply["FunctionError"], error["errorMessage"]) == ("Unhandled", "divided by 0")
    assert error["errorType"] == "Function<ZeroDivisionError>"
    assert error["stackTrace"][-1].startswith("/var/task/lambda_function.rb:8:in ")
    assert not [line for line in error["stackTrace"] if "bootstrap.rb" in line]
    assert "Function<ZeroDivisionError>" in base64.b64decode(reply["LogResult"]).decode()
    own = invoke(functions, name, {"do": "raise", "text": "größer"})["Payload"]
    assert (own["errorType"], own["errorMessage"]) == ("Function<Oops>", "größer")
    assert invoke(functions, name, {"do": "calls"})["Payload"][0] == 3  # the process lives on


def test_what_ends_the_process_is_told_and_the_next_call_has_another(functions: Any, deploy: Deploy) -> None:
    name = ruby(deploy, Timeout=3)
    misspelt = invoke(functions, name, {"do": "misspell"})["Payload"]
    assert misspelt["errorType"] == "Function<NameError>"
    assert "nowhere_to_be_found" in misspelt["errorMessage"]
    assert invoke(functions, name, {"do": "calls"})["Payload"][0] == 1
    assert "exit status 3" in invoke(functions, name, {"do": "exit"})["Payload"]["errorMessage"]
    assert "timed out after 3.00 seconds" in invoke(functions, name, {"do": "sleep"})["Payload"]["errorMessage"]
    assert invoke(functions, name, {"do": "calls"})["Payload"][0] == 1


@pytest.mark.parametrize(
    ("handler", "code", "kind", "words"),
    [
        ("absent.run", "", "Init<LoadError>", "cannot load such file -- absent"),
        ("app.run", "require 'nothing_like_it'", "Init<LoadError>", "nothing_like_it"),
        ("app.run", "def (", "Init<SyntaxError>", "app.rb:1"),
        ("app.run", "raise ArgumentError, 'no'", "Init<ArgumentError>", "no"),
        ("app", "", "Init<ArgumentError>", "Invalid handler app"),
    ],
)
def test_what_goes_wrong_in_init_is_told(
    functions: Any, deploy: Deploy, handler: str, code: str, kind: str, words: str
) -> None:
    reply = invoke(functions, ruby(deploy, {"app.rb": code}, Handler=handler), {}, LogType="Tail")
    assert (reply["FunctionError"], reply["Payload"]["errorType"]) == ("Unhandled", kind)
    assert words in reply["Payload"]["errorMessage"]
    assert kind in base64.b64decode(reply["LogResult"]).decode()


def test_what_is_printed_is_in_the_log_of_its_call(functions: Any, deploy: Deploy) -> None:
    name = ruby(deploy)
    invoke(functions, name, {})
    reply = invoke(functions, name, {"do": "print", "text": "größer"}, LogType="Tail")
    lines = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert [line.split()[0] for line in lines] == ["START", "größer", "warned", "END", "REPORT"]


def test_a_wrapper_starts_the_process(functions: Any, deploy: Deploy) -> None:
    script = '#!/bin/sh\nGEM_PATH=/wrapped exec "$@"\n'
    buffer = io.BytesIO(package(script, name="wrap"))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("app.rb", "def run(event:, context:) = ENV['GEM_PATH']")
    variables = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}}
    name = ruby(deploy, Code={"ZipFile": buffer.getvalue()}, Handler="app.run", Environment=variables)
    assert invoke(functions, name, {})["Payload"] == "/wrapped"


@pytest.mark.skipif(os.geteuid() != 0, reason="at the level process there is no /opt of a function's own")
def test_libraries_and_gems_of_layers_are_found(functions: Any, deploy: Deploy) -> None:
    gem = "ruby/gems/3.3.0"
    specification = (
        "Gem::Specification.new { |s| s.name = 'tiny'; s.version = '1.0'; s.summary = 's'; s.authors = ['a'] }"
    )
    contents: list[dict[str, str | bytes]] = [
        {"ruby/lib/mine.rb": "MINE = 'of the layer'\n"},
        {f"{gem}/specifications/tiny-1.0.gemspec": specification, f"{gem}/gems/tiny-1.0/lib/tiny.rb": "TINY = 'gem'\n"},
    ]
    arns = [
        functions.publish_layer_version(LayerName=f"ruby-{n}", Content={"ZipFile": zipped(one)})["LayerVersionArn"]
        for n, one in enumerate(contents)
    ]
    code = "require 'mine'\nrequire 'tiny'\ndef lambda_handler(event:, context:) = [MINE, TINY]\n"
    name = ruby(deploy, {"lambda_function.rb": code}, Layers=arns)
    assert invoke(functions, name, {})["Payload"] == ["of the layer", "gem"]
