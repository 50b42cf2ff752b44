"""Layers: what they add to a start, and what an extension beside the managed runtime adds to a warm call."""

import io
import os
import statistics
import sys
import time
import zipfile
from collections.abc import Mapping

from benchmarks.cold import FRAME, HELLO, PANDAS, once
from benchmarks.platform import Running, make_function, running, zipped_with
from benchmarks.report import Report, Row

ROUNDS = 40
PAUSE_S = 0.1
FILES = 200  # in each layer
_END, _STAY = b'{"end": true}', b"{}"
# It asks for its first event, and hears of nothing but the end: a call waits for it no longer than to be told of.
_EXTENSION = """#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("POST", "/2020-01-01/extension/register", '{"events": ["SHUTDOWN"]}', {"Lambda-Extension-Name": "waits"})
said = api.getresponse()
said.read()
me = {"Lambda-Extension-Identifier": said.getheader("Lambda-Extension-Identifier")}
api.request("GET", "/2020-01-01/extension/event/next", headers=me)
api.getresponse().read()
"""


def layers(platform: Running, report: Report) -> None:
    """On a platform of its own, without spares; kinds of functions in turns. `platform` is not used."""
    del platform
    with running("namespace" if os.geteuid() == 0 else "process", "--spares", "0") as own:
        many = [_publish(own, f"plain{n}", {f"python/part{n}/file{i}.py": "" for i in range(FILES)}) for n in range(5)]
        began = time.perf_counter()
        names = {
            "no layer": make_function(own, "bench-none", HELLO),
            "one layer": _with_layers(own, "bench-one", HELLO, many[:1]),
            "five layers": _with_layers(own, "bench-five", HELLO, many),
        }
        report.add(Row(f"layers: three functions with {FILES} files a layer made", time.perf_counter() - began, "s"))
        _starts(own, report, "hello", names, "no layer")
        site = f"python/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        pandas = _publish(own, "pandas", _distributions(site))
        alone = make_function(own, "bench-package", FRAME, memory_mb=512, package=zipped_with(FRAME, *PANDAS))
        beside = _with_layers(own, "bench-layer", FRAME, [pandas], memory_mb=512)
        _starts(own, report, "pandas", {"in the package": alone, "in a layer": beside}, "in the package")
        if os.geteuid() == 0:
            waits = _publish(own, "waits", {"extensions/waits": _EXTENSION})
            extended = _with_layers(own, "bench-extended", HELLO, [waits])
            _warm(own, report, {"alone": names["no layer"], "with an extension": extended})


def _starts(platform: Running, report: Report, what: str, names: Mapping[str, str], floor: str) -> None:
    samples: dict[str, list[float]] = {kind: [] for kind in names}
    for kind in names:
        once(platform.port, platform.invoke_request(names[kind], _END))
    time.sleep(3)  # templates are made in the background
    for _ in range(ROUNDS):
        for kind, taken in samples.items():
            time.sleep(PAUSE_S)
            taken.append(once(platform.port, platform.invoke_request(names[kind], _END)))
    least = statistics.median(samples[floor])
    for kind, taken in samples.items():
        of = (None, "") if kind == floor else (least, floor)
        report.add(Row(f"layers: cold start of {what}, {kind}, median", statistics.median(taken), "ms", *of))


def _warm(platform: Running, report: Report, names: Mapping[str, str]) -> None:
    samples: dict[str, list[float]] = {kind: [] for kind in names}
    for _ in range(ROUNDS * 5):
        for kind, taken in samples.items():
            taken.append(once(platform.port, platform.invoke_request(names[kind], _STAY)))
    least = statistics.median(samples["alone"])
    for kind, taken in samples.items():
        of = (None, "") if kind == "alone" else (least, "alone")
        report.add(Row(f"layers: warm call of hello, {kind}, median", statistics.median(taken), "ms", *of))


def _publish(platform: Running, name: str, content: Mapping[str, str] | bytes) -> str:
    if not isinstance(content, bytes):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for path, text in content.items():
                entry = zipfile.ZipInfo(path)
                entry.external_attr = 0o100755 << 16
                archive.writestr(entry, text)
        content = buffer.getvalue()
    client = platform.client("lambda")
    bucket = "bench-layers"
    platform.client("s3").create_bucket(Bucket=bucket)
    platform.client("s3").put_object(Bucket=bucket, Key=name, Body=content)
    reply = client.publish_layer_version(LayerName=name, Content={"S3Bucket": bucket, "S3Key": name})
    return str(reply["LayerVersionArn"])


def _with_layers(platform: Running, name: str, source: str, arns: list[str], memory_mb: int = 256) -> str:
    made = make_function(platform, name, source, memory_mb=memory_mb)
    client = platform.client("lambda")
    client.update_function_configuration(FunctionName=made, Layers=arns)
    client.get_waiter("function_updated_v2").wait(FunctionName=made)
    return made


def _distributions(below: str) -> bytes:
    """What is installed here of pandas and what it needs, in the places of a layer."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(zipped_with("", *PANDAS))) as package, zipfile.ZipFile(buffer, "w") as layer:
        for entry in package.infolist():
            if entry.filename != "app.py":
                layer.writestr(f"{below}/{entry.filename}", package.read(entry))
    return buffer.getvalue()
