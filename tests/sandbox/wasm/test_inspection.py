"""How files are told apart, and what is wrong with those that cannot be run."""

import pytest
import wasmtime

from mayfly.sandbox.wasm import engine, inspection
from mayfly.sandbox.wasm.artifacts import Verdict

from . import modules

HANDLE = """(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
    (func (export "handle") (param i32 i32) (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func (export "handle") PARAMS
    (canon lift (core func $i "handle") (memory (core memory $i "memory"))
      (realloc (core func $i "realloc")))))
"""


@pytest.fixture(scope="module")
def machine() -> wasmtime.Engine:
    return engine.make()


def found(machine: wasmtime.Engine, code: str | bytes) -> Verdict:
    return inspection.verdict(machine, modules.wasm(code) if isinstance(code, str) else code)[0]


def test_a_component_that_handles_texts_is_a_handler(machine: wasmtime.Engine) -> None:
    taking = '(param "event" string) (result (result string (error string)))'
    assert found(machine, HANDLE.replace("PARAMS", taking)) == Verdict(kind="handle")


@pytest.mark.parametrize(
    "taking",
    [
        '(param "event" (list u8)) (result (result (list u8) (error string)))',
        '(param "event" string) (result (result string (error (list u8))))',
        '(param "a" u32) (param "b" u32) (result (result string (error string)))',
    ],
)
def test_a_handler_of_another_type_is_refused(machine: wasmtime.Engine, taking: str) -> None:
    error = found(machine, HANDLE.replace("PARAMS", taking)).error
    assert error is not None
    assert "of another type" in error


def test_a_start_that_takes_something_is_refused(machine: wasmtime.Engine) -> None:
    error = found(machine, '(module (func (export "_start") (param i32)))').error
    assert error is not None
    assert "without parameters" in error


def test_many_unknown_imports_are_counted(machine: wasmtime.Engine) -> None:
    imports = "".join(f'(import "env" "f{n}" (func))' for n in range(12))
    error = found(machine, f"(module {imports})").error
    assert error is not None
    assert "env.f0, env.f1" in error
    assert "and 2 more" in error


def test_a_future_version_is_refused(machine: wasmtime.Engine) -> None:
    assert found(machine, b"\0asm\2\0\0\0") == Verdict(
        error="is neither a module of version 1 nor a component: its version is 02000000"
    )


def test_a_host_of_requests_is_told_what_there_is_instead(machine: wasmtime.Engine) -> None:
    text = '(component (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)))'
    error = found(machine, text).error
    assert error is not None
    assert "Mayfly cannot host" in error
