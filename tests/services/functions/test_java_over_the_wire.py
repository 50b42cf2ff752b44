"""Functions of Java on a running platform, as boto3 sees them. The interfaces are stand-ins of those of AWS."""

import base64
import io
import json
import os
import shutil
import subprocess
import zipfile
from typing import Any

import pytest

from mayfly.sandbox import jdks
from tests.conftest import start_platform
from tests.services.functions.stage import zipped
from tests.services.functions.test_functions_over_the_wire import TRUST, Deploy, deploy, functions, invoke, role

__all__ = ["deploy", "functions", "role"]

JDKS = jdks.find(os.environ.get("PATH", ""))
pytestmark = pytest.mark.skipif(
    not JDKS and (os.environ.get("CI") != "true" or shutil.which("apt-get") is None), reason="no JDK is installed"
)
RUNTIME = "java17"
LAMBDA = {
    "Context": "String getAwsRequestId(); String getFunctionName(); String getInvokedFunctionArn();"
    " int getRemainingTimeInMillis(); int getMemoryLimitInMB(); LambdaLogger getLogger();",
    "LambdaLogger": "void log(String message);",
    "RequestHandler<I, O>": "O handleRequest(I input, Context context);",
    "RequestStreamHandler": "void handleRequest(java.io.InputStream in, java.io.OutputStream out, Context context)"
    " throws java.io.IOException;",
}
HANDLERS = """
package example;
import com.amazonaws.services.lambda.runtime.*;
import java.io.*;
import java.util.*;

public class Handlers implements RequestHandler<Handlers.Order, Handlers.Receipt> {
  public static class Item { private String name; private int count; private double price;
    public void setName(String name) { this.name = name; } public String getName() { return name; }
    public void setCount(int count) { this.count = count; } public int getCount() { return count; }
    public void setPrice(double price) { this.price = price; } public double getPrice() { return price; } }
  public static class Order { private List<Item> items; public boolean urgent;
    public void setItems(List<Item> items) { this.items = items; } public List<Item> getItems() { return items; } }
  public record Receipt(double total, Map<String, Integer> counts, boolean urgent, Optional<String> note) {}

  public Receipt handleRequest(Order order, Context context) {
    Map<String, Integer> counts = new TreeMap<>();
    double total = 0;
    for (Item item : order.getItems()) {
      counts.put(item.getName(), item.getCount());
      total += item.getCount() * item.getPrice();
    }
    context.getLogger().log("order of " + counts.size());
    System.out.println("printed");
    return new Receipt(total, counts, order.urgent, Optional.empty());
  }
  public Map<String, Object> echo(Map<String, Object> event, Context context) {
    event.put("name", context.getFunctionName());
    event.put("id", context.getAwsRequestId().length());
    event.put("left", context.getRemainingTimeInMillis() > 0);
    event.put("memory", context.getMemoryLimitInMB());
    event.put("heap", Runtime.getRuntime().maxMemory() >> 20);
    event.put("version", Runtime.version().feature());
    event.put("given", System.getProperty("given"));
    return event;
  }
  public int sum(List<Integer> numbers) { return numbers.stream().mapToInt(Integer::intValue).sum(); }
  public String upper(String text) { return text.toUpperCase(); }
  public boolean not(boolean value) { return !value; }
  public void nothing() {}
  public String fail(Object event) throws IOException {
    throw new IOException("it broke", new IllegalStateException("inside"));
  }
  public String hoard(Object event) { List<int[]> held = new ArrayList<>(); for (;;) held.add(new int[1 << 18]); }
  public void exit(Object event) { System.exit(3); }
  public void sleep(Object event) throws InterruptedException { Thread.sleep(60000); }
}
"""
STREAM = """
package example;
import com.amazonaws.services.lambda.runtime.*;
import java.io.*;

public class Stream implements RequestStreamHandler {
  public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
    out.write('['); in.transferTo(out); out.write(']');
  }
}
"""


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The classes of the handlers, as paths in a package."""
    assert JDKS, "a JDK is missing: `make test` installs one"
    sources, into = tmp_path_factory.mktemp("java"), tmp_path_factory.mktemp("classes")
    texts = {"Handlers": HANDLERS, "Stream": STREAM}
    for name, body in LAMBDA.items():
        package = "package com.amazonaws.services.lambda.runtime;"
        texts[name.partition("<")[0]] = f"{package} public interface {name} {{ {body} }}"
    for name, text in texts.items():
        (sources / f"{name}.java").write_text(text)
    javac = JDKS[-1].prefix / "bin" / "javac"
    release = ["--release", "17"]
    subprocess.run([javac, *release, "-d", into, *sources.glob("*.java")], check=True, timeout=120)
    return {str(path.relative_to(into)): path.read_bytes() for path in sorted(into.rglob("*.class"))}


@pytest.fixture
def make(deploy: Deploy, classes: dict[str, bytes]) -> Deploy:
    def create(**changes: Any) -> str:
        settings = {"Runtime": RUNTIME, "MemorySize": 256, "Timeout": 25, "Code": {"ZipFile": zipped(classes)}}
        return deploy(**{**settings, **changes})

    return create


def test_a_handler_takes_and_answers_beans_and_its_lines_are_logged(functions: Any, make: Deploy) -> None:
    name = make(Handler="example.Handlers")
    order = {"items": [{"name": "é", "count": 2, "price": 1.5}, {"name": "b", "count": 1, "price": 4}], "urgent": True}

    reply = invoke(functions, name, order, LogType="Tail")

    assert reply["Payload"] == {"total": 7.0, "counts": {"b": 1, "é": 2}, "urgent": True, "note": None}
    log = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert [line.split()[0] for line in log] == ["START", "order", "printed", "END", "REPORT"]


def test_a_method_sees_its_context_and_the_options_of_its_function(functions: Any, make: Deploy) -> None:
    name = make(
        Handler="example.Handlers::echo", Environment={"Variables": {"JAVA_TOOL_OPTIONS": "-Dgiven=yes -Xmx90m"}}
    )

    seen = invoke(functions, name, {"text": 'a"\\\n\u2028😀', "deep": [1, 2.5, None, {"x": 2**40}]})["Payload"]

    assert seen["text"] == 'a"\\\n\u2028😀'
    assert seen["deep"] == [1, 2.5, None, {"x": 2**40}]
    assert (seen["name"], seen["id"], seen["left"], seen["memory"], seen["given"]) == (name, 36, True, 256, "yes")
    assert 80 <= seen["heap"] <= 90
    assert seen["version"] >= 17


@pytest.mark.parametrize(
    ("method", "event", "answer"),
    [("sum", [1, 2, 3], 6), ("upper", "abc", "ABC"), ("not", True, False), ("nothing", {}, None)],
)
def test_a_plain_method_is_a_handler(functions: Any, make: Deploy, method: str, event: Any, answer: Any) -> None:
    assert invoke(functions, make(Handler=f"example.Handlers::{method}"), event)["Payload"] == answer


def test_a_jar_is_a_package_and_a_stream_handler_reads_and_writes_bytes(
    functions: Any, make: Deploy, classes: dict[str, bytes]
) -> None:
    jar = io.BytesIO()
    with zipfile.ZipFile(jar, "w") as archive:
        for path, data in classes.items():
            archive.writestr(path, data)
    whole = zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", **classes})
    in_lib = zipped({"lib/handlers.jar": jar.getvalue()})

    for package in (whole, in_lib):
        name = make(Handler="example.Stream::handleRequest", Code={"ZipFile": package})
        assert invoke(functions, name, {"a": 1})["Payload"] == [{"a": 1}]


def test_what_a_handler_throws_is_told_with_its_cause(functions: Any, make: Deploy) -> None:
    name = make(Handler="example.Handlers::fail")

    reply = invoke(functions, name, {}, LogType="Tail")

    error = reply["Payload"]
    assert reply["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("java.io.IOException", "it broke")
    assert error["cause"]["errorType"] == "java.lang.IllegalStateException"
    assert len(error["stackTrace"]) == 1
    assert error["stackTrace"][0].startswith("example.Handlers.fail(Handlers.java:")
    assert "Caused by: java.lang.IllegalStateException: inside" in base64.b64decode(reply["LogResult"]).decode()
    assert invoke(functions, name, {})["Payload"]["errorType"] == "java.io.IOException"


@pytest.mark.parametrize(
    ("handler", "error_type", "words"),
    [
        ("example.Absent::x", "java.lang.ClassNotFoundException", "Class not found: example.Absent"),
        ("example.Handlers::absent", "java.lang.NoSuchMethodException", "No public method named absent with"),
        ("example.Handlers::hoard", "java.lang.OutOfMemoryError", "Java heap space"),
        ("example.Handlers::upper", "java.lang.RuntimeException", "An error occurred during JSON parsing"),
        ("example.Handlers::exit", "Runtime.ExitError", "exit status 3"),
    ],
)
def test_what_goes_wrong_is_said_by_its_name(
    functions: Any, make: Deploy, handler: str, error_type: str, words: str
) -> None:
    reply = invoke(functions, make(Handler=handler), {"an": "object"})

    assert (reply["FunctionError"], reply["Payload"]["errorType"]) == ("Unhandled", error_type)
    assert words in reply["Payload"]["errorMessage"]


def test_a_call_that_takes_too_long_times_out(functions: Any, make: Deploy) -> None:
    reply = invoke(functions, make(Handler="example.Handlers::sleep", Timeout=3), {})

    assert "Task timed out after 3.00 seconds" in json.dumps(reply["Payload"])


@pytest.mark.parametrize("level", ["container", "gvisor"])
def test_the_launcher_is_seen_at_other_levels(functions: Any, make: Deploy, level: str) -> None:
    if shutil.which({"container": "crun", "gvisor": "runsc"}[level]) is None:
        pytest.skip("not installed")
    name = make(Handler="example.Handlers::upper", Tags={"mayfly:level": level})

    assert invoke(functions, name, "abc")["Payload"] == "ABC"


def test_a_wrapper_starts_the_virtual_machine(functions: Any, make: Deploy, classes: dict[str, bytes]) -> None:
    info = zipfile.ZipInfo("wrapper")
    info.external_attr = 0o100755 << 16
    buffer = io.BytesIO(zipped(classes))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(info, '#!/bin/sh\nexport JAVA_TOOL_OPTIONS=-Dgiven=wrapped\nexec "$@"\n')
    name = make(
        Handler="example.Handlers::echo",
        Code={"ZipFile": buffer.getvalue()},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )

    assert invoke(functions, name, {})["Payload"]["given"] == "wrapped"


def test_snap_start_falls_back_to_the_slow_way_and_calls_are_answered(functions: Any, make: Deploy) -> None:
    name = make(Handler="example.Handlers::upper", SnapStart={"ApplyOn": "PublishedVersions"})

    version = functions.publish_version(FunctionName=name)["Version"]
    functions.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)

    assert invoke(functions, name, "abc", Qualifier=version)["Payload"] == "ABC"
    found = functions.get_function_configuration(FunctionName=name, Qualifier=version)
    assert found["SnapStart"]["OptimizationStatus"] == "Off"


def test_a_function_runs_without_a_sandbox(tmp_path_factory: pytest.TempPathFactory, classes: dict[str, bytes]) -> None:
    server, running = start_platform(tmp_path_factory.mktemp("bare") / "data", "--isolation", "process")
    try:
        iam, functions = running.client("iam"), running.client("lambda", read_timeout=60)
        arn = iam.create_role(RoleName="runs", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        functions.create_function(
            FunctionName="bare",
            Runtime=RUNTIME,
            Handler="example.Handlers::upper",
            Role=arn,
            Code={"ZipFile": zipped(classes)},
            Timeout=20,
        )
        assert invoke(functions, "bare", "abc")["Payload"] == "ABC"
    finally:
        server.terminate()
        server.wait(60)


@pytest.mark.skipif(os.geteuid() != 0, reason="at the level process there is no /opt of a function's own")
def test_jars_of_layers_are_on_the_class_path(functions: Any, make: Deploy, classes: dict[str, bytes]) -> None:
    arns = []
    for number, content in enumerate((classes, {"com/empty.txt": b""})):
        layer = zipped({f"java/lib/{number}.jar": zipped(content)})
        arns.append(
            functions.publish_layer_version(LayerName=f"java-{number}", Content={"ZipFile": layer})["LayerVersionArn"]
        )
    name = make(Handler="example.Handlers::upper", Code={"ZipFile": zipped({"x.txt": ""})}, Layers=arns)
    assert invoke(functions, name, "abc")["Payload"] == "ABC"
