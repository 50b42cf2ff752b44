"""The engine: the same where modules are compiled and where they run, or what was compiled would be refused."""

from __future__ import annotations

import wasmtime

STACK_BYTES = 1 << 20  # of a module's own calls; a thread has eight times as much


def make(*, parallel: bool = False) -> wasmtime.Engine:
    """`parallel`: compile on all processors, by threads that stay.

    Whoever changes anything here changes `artifacts._CONFIGURATION`, too.
    """
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.wasm_threads = False  # one request, one thread
    config.max_wasm_stack = STACK_BYTES
    config.parallel_compilation = parallel
    return wasmtime.Engine(config)
