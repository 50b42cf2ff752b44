"""`python -m benchmarks.wasi_testsuite SUITE`: how much of WASI the runtime `wasm` gives, by WebAssembly's own suite.

SUITE is a checkout of WebAssembly/wasi-testsuite, branch prod/testsuite-base, which holds compiled tests
(`make wasi-testsuite` fetches it). Each is compiled and run by the engine, with the configuration and the limits, that
functions have; what functions never get, arguments and a directory, is given to those that ask for it.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mayfly.sandbox.wasm import artifacts, clockwork, engine, inspection
from mayfly.sandbox.wasm.faults import Fault
from mayfly.sandbox.wasm.instances import Grants, Instances, Linkers, Output

MEMORY = 256 << 20
PATIENCE_S = 30.0


class Test(NamedTuple):
    """One test, and what is expected of it."""

    path: Path
    arguments: list[str]
    variables: dict[str, str]
    root: Path | None
    status: int
    output: Mapping[str, str]  # by stream; those that are compared


def tests(suite: Path) -> Iterator[Test]:
    """All of them, in the order of their paths."""
    for path in sorted(suite.glob("tests/*/testsuite/**/*.wasm")):
        description = path.with_suffix(".json")
        yield _test(path, json.loads(description.read_text()) if description.exists() else {})


def _test(path: Path, given: Mapping[str, Any]) -> Test:
    """From either form that descriptions have; see the suite's doc/specification.md."""
    output = {name: given[name] for name in ("stdout", "stderr") if name in given}
    run, status = given, given.get("exit_code", 0)
    for operation in given.get("operations", []):
        match operation["type"]:
            case "run":
                run = operation
            case "wait":
                status = operation.get("exit_code", 0)
            case "read":
                output[operation.get("id", "stdout")] = operation.get("payload", "")
    root = path.parent / run["root"] if run.get("root") else None
    return Test(path, list(run.get("args", [])), dict(run.get("env", {})), root, status, output)


class Runner:
    """Runs tests, one after the other."""

    def __init__(self) -> None:
        self._engine = engine.make()
        self._linkers = Linkers(self._engine)
        self._clockwork = clockwork.Clockwork(self._engine)
        self._output = Output()

    def failure(self, test: Test, scratch: Path) -> str | None:
        """Why a test fails; None when it passes."""
        verdict, code = inspection.verdict(self._engine, test.path.read_bytes())
        if verdict.kind is None:
            return f"refused: {verdict.error}"
        compiled = scratch / "test.cwasm"
        compiled.write_bytes(code)
        instances = Instances.load(self._linkers, verdict.kind, str(compiled))
        directories = [(str(self._copied(test.root, scratch)), "/")] if test.root is not None else []
        logged = bytearray()
        grants = Grants([test.path.name, *test.arguments], test.variables, MEMORY, logged.extend, directories)
        running = clockwork.Running(time.monotonic() + PATIENCE_S)
        self._clockwork.begin(1, running)
        try:
            status = instances.command(instances.begin(grants, b"", self._output, running.watch))
        except Fault as fault:
            return f"{fault.kind}: {fault}; {logged.decode(errors='replace').strip()[-300:]}"
        finally:
            self._clockwork.end(1)
        if status != test.status:
            return f"status {status}, not {test.status}; {logged.decode(errors='replace').strip()[-300:]}"
        wrote = {"stdout": self._output.read().decode(), "stderr": logged.decode()}
        return next((f"{name} is {wrote[name]!r}" for name, text in test.output.items() if wrote[name] != text), None)

    def _copied(self, root: Path, scratch: Path) -> Path:
        """Tests write, and expect what the suite holds."""
        copy = scratch / root.name
        shutil.copytree(root, copy, symlinks=True)
        for leftover in copy.rglob("*.cleanup"):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        return copy


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wasi_testsuite", description=__doc__)
    parser.add_argument("suite", type=Path)
    options = parser.parse_args()
    runner = Runner()
    run, passed = Counter[str](), Counter[str]()
    for test in tests(options.suite):
        version = test.path.parent.name
        run[version] += 1
        with tempfile.TemporaryDirectory(prefix=f"mayfly-{artifacts.NAME}-") as scratch:
            failure = runner.failure(test, Path(scratch))
        if failure is None:
            passed[version] += 1
        else:
            print(f"{test.path.relative_to(options.suite)}: {failure}")
    for version, count in run.items():
        print(f"{version}: {passed[version]} of {count} pass")
    sys.stdout.flush()
    os._exit(0 if run else 1)  # the engine's threads do not end before an interpreter does


if __name__ == "__main__":
    main()
