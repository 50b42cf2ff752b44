"""What a module or component is to Mayfly: how it is run, or why it cannot be. Nothing of it is executed here."""

from __future__ import annotations

import wasmtime
from wasmtime import component

from mayfly.sandbox.wasm.artifacts import Kind, Verdict

MAGIC = b"\0asm"
_MODULE, _COMPONENT = b"\1\0\0\0", b"\x0d\0\1\0"
PREVIEW_1 = "wasi_snapshot_preview1"
# Packages of WASI 0.2 that are linked. Of sockets all calls answer "access-denied"; of files there are none.
PACKAGES = ("wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/")
_RUN, _PROXY = "wasi:cli/run@0.2.", "wasi:http/incoming-handler"
_MOST_NAMED = 10


class UnsuitableError(ValueError):
    """It cannot be run; the message follows the file's name."""


def compile_any(engine: wasmtime.Engine, code: bytes) -> tuple[Kind, bytes]:
    """The kind and the machine code of a file; `UnsuitableError`."""
    if code[:4] != MAGIC:
        raise UnsuitableError("is not a WebAssembly file: it does not begin with \\0asm")
    try:
        if code[4:8] == _MODULE:
            module = wasmtime.Module(engine, code)
            return _module_kind(engine, module), bytes(module.serialize())
        if code[4:8] == _COMPONENT:
            compiled = component.Component(engine, code)
            return _component_kind(engine, compiled), bytes(compiled.serialize())
    except wasmtime.WasmtimeError as error:
        raise UnsuitableError(f"cannot be compiled: {' '.join(str(error).split())[:1000]}") from None
    raise UnsuitableError(f"is neither a module of version 1 nor a component: its version is {code[4:8].hex()}")


def verdict(engine: wasmtime.Engine, code: bytes) -> tuple[Verdict, bytes]:
    """The verdict, and machine code if there can be any."""
    try:
        kind, machine_code = compile_any(engine, code)
    except UnsuitableError as error:
        return Verdict(error=str(error)), b""
    return Verdict(kind=kind), machine_code


def _module_kind(engine: wasmtime.Engine, module: wasmtime.Module) -> Kind:
    linker, store = wasmtime.Linker(engine), wasmtime.Store(engine)
    linker.define_wasi()
    unknown = [
        f"{one.module}.{one.name}"
        for one in module.imports
        if one.module != PREVIEW_1 or not _has(linker, store, one.module, one.name or "")
    ]
    _refuse_unknown(unknown, f"modules may import {PREVIEW_1} and nothing else")
    start = [one for one in module.exports if one.name == "_start"]
    if not start:
        raise UnsuitableError("exports no _start: build it as a command, not as a library (reactor)")
    kind = start[0].type
    if not isinstance(kind, wasmtime.FuncType) or kind.params or kind.results:
        raise UnsuitableError("exports a _start that is no function without parameters and results")
    return "command"


def _has(linker: wasmtime.Linker, store: wasmtime.Store, module: str, name: str) -> bool:
    try:
        linker.get(store, module, name)
    except wasmtime.WasmtimeError:
        return False
    return True


def _component_kind(engine: wasmtime.Engine, compiled: component.Component) -> Kind:
    shape = compiled.type
    unknown = [name for name in shape.imports(engine) if not name.startswith(PACKAGES) or "@0.2." not in name]
    _refuse_unknown(unknown, "components may import the interfaces of WASI 0.2 but those of wasi:http")
    exports = shape.exports(engine)
    if "handle" in exports:
        return _handle_kind(exports["handle"].ty)
    names = list(exports)
    if any(name.startswith(_RUN) for name in names):
        return "run"
    if any(name.startswith(_PROXY) for name in names):
        raise UnsuitableError(
            "exports wasi:http/incoming-handler, which Mayfly cannot host; export handle (the world "
            "mayfly:function/function), or wasi:cli/run and answer as a CGI program does"
        )
    raise UnsuitableError(
        f"exports neither handle nor wasi:cli/run@0.2 but {', '.join(names[:_MOST_NAMED]) or 'nothing'}"
    )


def _handle_kind(shape: object) -> Kind:
    """`handle: func(event: string) -> result<string, string>`: events and answers are JSON, which is text."""
    if isinstance(shape, component.FuncType) and isinstance(given := shape.result, component.ResultType):
        taken = [kind for _, kind in shape.params]
        if len(taken) == 1 and all(isinstance(one, component.String) for one in (taken[0], given.ok, given.err)):
            return "handle"
    raise UnsuitableError("exports a handle of another type than func(event: string) -> result<string, string>")


def _refuse_unknown(names: list[str], allowed: str) -> None:
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        raise UnsuitableError(f"imports what is not there: {', '.join(names[:_MOST_NAMED])}{more}; {allowed}")
