"""One compiled file, and an instance of it for each request: fresh memory, and nothing that the request was not given.

An instance can use its memory, clocks, random numbers, its arguments, variables, input and the two output streams. It
has no directory unless `Grants` names one, and no network. Time ends it by `Store.deadline`, which who runs it sets.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component

from mayfly.sandbox.wasm import faults
from mayfly.sandbox.wasm.artifacts import Kind

MOST_OUTPUT = 16 << 20  # bytes of standard output; more than an answer may have, so that the server can say so
_MOST_TABLE = 1 << 20  # elements
_MOST_MEMORIES = 16  # each of which may be as large as the function's memory allows
_MOST_OF_A_KIND = 100  # tables and instances, of which a component has dozens
_RUN = tuple(f"wasi:cli/run@0.2.{patch}" for patch in range(40))
_CODE = ctypes.POINTER(ctypes.c_ubyte)

Write = Callable[[bytes], None]


class Grants(NamedTuple):
    """What one request may use."""

    arguments: Sequence[str]
    variables: Mapping[str, str]
    memory_bytes: int
    logged: Write  # gets standard error, and of a `handle` standard output too; from whichever thread
    directories: Sequence[tuple[str, str]] = ()  # of the sandbox, and as what the instance sees them, to write to


class Output:
    """A file in memory that takes the standard output of one instance after the other."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("stdout", os.MFD_CLOEXEC)
        self.path = f"/proc/self/fd/{self._descriptor}"  # is emptied when it is opened

    def read(self) -> bytes:
        """What was written; `Fault`."""
        size = os.fstat(self._descriptor).st_size
        if size >= MOST_OUTPUT:
            os.ftruncate(self._descriptor, 0)
            raise faults.Fault(faults.OUTPUT, f"the program wrote more than {MOST_OUTPUT} bytes")
        return os.pread(self._descriptor, size, 0) if size else b""


def limit_output() -> None:
    """Of this process, for good: no file grows beyond what an answer may be."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_OUTPUT, MOST_OUTPUT))


class Linkers:
    """WASI, made ready for whatever comes: the same for all modules of an engine."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self.engine = engine
        self.modules = wasmtime.Linker(engine)
        self.modules.define_wasi()
        self.components = component.Linker(engine)
        self.components.add_wasip2()


class Instances:
    """Makes them, one after the other or side by side."""

    def __init__(self, linkers: Linkers, kind: Kind, compiled: wasmtime.Module | component.Component) -> None:
        self.kind = kind
        self._engine = linkers.engine
        self._linkers = linkers
        self._compiled = compiled
        self._prepared = linkers.modules.instantiate_pre(compiled) if isinstance(compiled, wasmtime.Module) else None

    @classmethod
    def load(cls, linkers: Linkers, kind: Kind, path: str) -> Instances:
        """Of the machine code at `path`; `wasmtime.WasmtimeError` when this engine cannot run it."""
        container = wasmtime.Module if kind == "command" else component.Component
        return cls(linkers, kind, container.deserialize_file(linkers.engine, path))

    def begin(
        self,
        grants: Grants,
        given: bytes,
        output: Output | None,
        watch: Callable[[wasmtime.Store], None],
    ) -> wasmtime.Store:
        """A store for one request. `given`: standard input. `output` None: standard output is logged. `watch` is told
        of the store before anything runs in it."""
        store = wasmtime.Store(self._engine)
        store.set_limits(
            memory_size=grants.memory_bytes,
            table_elements=_MOST_TABLE,
            instances=_MOST_OF_A_KIND,
            tables=_MOST_OF_A_KIND,
            memories=_MOST_MEMORIES,
        )
        store.set_epoch_deadline(1)
        watch(store)
        store.set_wasi(_configuration(grants, given, output))
        return store

    def command(self, store: wasmtime.Store) -> int:
        """Run a program; the status that it exits with. `Fault` when it does not get so far."""
        try:
            if self._prepared is None:
                return 0 if _succeeded(self._run(store)) else 1
            start = self._prepared.instantiate(store).exports(store)["_start"]
            assert isinstance(start, wasmtime.Func)
            start(store)
        except wasmtime.ExitTrap as leaving:
            return leaving.code
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise faults.of_trap(str(error)) from None
        return 0

    def handle(self, store: wasmtime.Store, event: str) -> str:
        """Call `handle`; `Fault`."""
        try:
            function = self._instance(store).get_func(store, "handle")
            assert function is not None
            answer = function(store, event)
        except wasmtime.ExitTrap as leaving:
            raise faults.of_exit(leaving.code) from None
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise faults.of_trap(str(error)) from None
        if answer.tag == "err":
            raise faults.of_refusal(answer.payload)
        return str(answer.payload)

    def _instance(self, store: wasmtime.Store) -> component.Instance:
        assert isinstance(self._compiled, component.Component)
        return self._linkers.components.instantiate(store, self._compiled)

    def _run(self, store: wasmtime.Store) -> Any:
        instance = self._instance(store)
        for name in _RUN:
            place = instance.get_export_index(store, name)
            index = instance.get_export_index(store, "run", place) if place is not None else None
            function = instance.get_func(store, index) if index is not None else None
            if function is not None:
                return function(store)
        raise faults.Fault(faults.MODULE, "wasi:cli/run exports no function run")


def _succeeded(answer: Any) -> bool:
    """Whether the `result` without values that wasi:cli/run returns is ok."""
    return getattr(answer, "tag", "ok") == "ok"


def _configuration(grants: Grants, given: bytes, output: Output | None) -> wasmtime.WasiConfig:
    wasi = wasmtime.WasiConfig()
    wasi.argv = list(grants.arguments)
    wasi.env = grants.variables.items()
    vector = ffi.wasm_byte_vec_t()
    # The binding has a file for input only; the library underneath takes bytes, too.
    ffi.wasm_byte_vec_new(ctypes.byref(vector), len(given), ctypes.cast(ctypes.c_char_p(given), _CODE))
    ffi.wasi_config_set_stdin_bytes(wasi.ptr(), ctypes.byref(vector))
    if output is not None:
        wasi.stdout_file = output.path
    else:
        wasi.stdout_custom = grants.logged
    wasi.stderr_custom = grants.logged
    for place, name in grants.directories:
        wasi.preopen_dir(place, name)
    return wasi
