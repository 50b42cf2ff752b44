"""WebAssembly: what an instance a request costs, in the runner and as a call, beside the engine and beside Python.

The part inside the runner is a program of its own (`python -m benchmarks.wasm`), because the engine's threads outlive
what they were made for.
"""

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime

from benchmarks import load
from benchmarks.platform import Running, make_function
from benchmarks.report import Report, Row
from mayfly.sandbox import frames
from mayfly.sandbox.wasm import engine
from mayfly.sandbox.wasm.instances import Grants, Instances, Linkers
from mayfly.sandbox.wasm.runner import Calls

ROUNDS = 2000
LOAD_ROUNDS, SECONDS = 5, 1.0
EMPTY = '(module (memory (export "memory") 17) (func (export "_start")))'
# Answers {}: as small as an answer can be.
ANSWERS = """(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 17)
  (data (i32.const 0) "\\10\\00\\00\\00\\02\\00\\00\\00") (data (i32.const 16) "{}")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""
SAME_IN_PYTHON = "def handler(event, context):\n    return {}\n"


def wasm(platform: Running, report: Report) -> None:
    """Both parts."""
    root = Path(__file__).parents[1]
    program = [sys.executable, "-m", "benchmarks.wasm"]
    measured = json.loads(subprocess.run(program, cwd=root, check=True, capture_output=True, text=True).stdout)
    report.add(
        Row("wasm: an instance with its WASI, start", measured["start"], "ms", measured["bare"], "the engine alone"),
        Row("wasm: a request in the runner, {} to {}", measured["request"], "ms", measured["bare"], "the engine alone"),
    )
    python = make_function(platform, "bench-wasm-beside", SAME_IN_PYTHON, memory_mb=1769)
    module = _made(platform)
    subjects = {
        what: load.Subject(platform.port, platform.pid, platform.invoke_request(name), b"{}")
        for what, name in (("wasm", module), ("Python", python))
    }
    for connections in (1, 16):
        found = load.rounds(subjects, connections, LOAD_ROUNDS, SECONDS)
        if any(one.errors for one in found.values()):
            raise RuntimeError("warm calls of wasm failed")
        one, other = found["wasm"], found["Python"]
        report.add(
            Row(f"wasm: warm Invoke, latency at {connections}, median", one.p50_ms, "ms", other.p50_ms, "Python"),
            Row(f"wasm: warm Invoke, throughput at {connections}", one.per_second, "/s", other.per_second, "Python"),
        )


def _made(platform: Running) -> str:
    """A function of the module that answers, with the role that the one beside it has."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.wasm", bytes(wasmtime.wat2wasm(ANSWERS)))
    platform.client("lambda").create_function(
        FunctionName="bench-wasm",
        Runtime="wasm",
        Handler="app.wasm",
        Role=platform.client("iam").get_role(RoleName="bench")["Role"]["Arn"],
        Code={"ZipFile": package.getvalue()},
        MemorySize=1769,
    )
    return "bench-wasm"


def main() -> None:
    """Medians of interleaved rounds, in milliseconds, as JSON."""
    os.environ["TOKIO_WORKER_THREADS"] = "1"  # as the runner has it
    machine = engine.make()
    linkers = Linkers(machine)
    with tempfile.TemporaryDirectory(prefix="mayfly-bench-") as directory:
        made = {}
        for what, text in (("empty", EMPTY), ("answers", ANSWERS)):
            path = Path(directory, what)
            path.write_bytes(wasmtime.Module(machine, text).serialize())
            made[what] = Instances.load(linkers, "command", str(path))
    prepared = linkers.modules.instantiate_pre(wasmtime.Module(machine, EMPTY))
    environment = {"_HANDLER": "app.wasm", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128"} | {f"V{n}": "-" for n in range(20)}
    grants = Grants(["app.wasm"], environment, 1 << 27, lambda _: None)
    calls = Calls(made["answers"], environment, 1)
    head = ["id", "0", "arn", "", "", ""]
    frame = frames.Frame(frames.INVOKE, 0, 1, b"", b"{}")

    def bare() -> wasmtime.Store:
        store = wasmtime.Store(machine)
        store.set_epoch_deadline(1)
        start = prepared.instantiate(store).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        start(store)
        return store

    def start() -> wasmtime.Store:
        store = made["empty"].begin(grants, b"{}", None, lambda _: None)
        made["empty"].command(store)
        return store

    def request() -> Any:
        answer = calls.answer(frame, head, lambda _: None, lambda _: None)
        assert answer.payload == b"{}", answer.payload
        return answer

    print(json.dumps(_medians({"bare": bare, "start": start, "request": request})))
    sys.stdout.flush()
    os._exit(0)


def _medians(measured: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """What giving back takes does not count: it follows the answer."""
    samples: dict[str, list[float]] = {what: [] for what in measured}
    for _ in range(ROUNDS):
        for what, work in measured.items():
            began = time.perf_counter()
            left = work()
            samples[what].append((time.perf_counter() - began) * 1000)
            left.close()
    return {what: statistics.median(found) for what, found in samples.items()}


if __name__ == "__main__":
    main()
